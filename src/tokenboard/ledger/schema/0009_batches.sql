-- Every row says which batch it came with; a row of a rollup, which came with many, the latest of them. It is written in
-- the same step as the figures, so a table can be asked month by month whether it has a batch. The drain sums each batch
-- into the rollups itself, from the raw events: views would write several tables with one statement, of which a crash
-- leaves some.
DROP VIEW IF EXISTS app_daily_view SYNC;
DROP VIEW IF EXISTS app_model_daily_view SYNC;
DROP VIEW IF EXISTS model_daily_view SYNC;
DROP VIEW IF EXISTS app_hourly_view SYNC;
DROP VIEW IF EXISTS key_daily_view SYNC;
ALTER TABLE usage ADD COLUMN IF NOT EXISTS batch UInt64;
ALTER TABLE usage ADD INDEX IF NOT EXISTS by_batch batch TYPE minmax GRANULARITY 1;
ALTER TABLE app_daily ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);
ALTER TABLE app_model_daily ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);
ALTER TABLE model_daily ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);
ALTER TABLE app_hourly ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);
ALTER TABLE key_daily ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);
ALTER TABLE day_changes ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);

-- The months whose rollups are being made anew: a month whose numbers do not add up to zero was not finished.
CREATE TABLE IF NOT EXISTS rebuilds (month UInt32, open Int64)
ENGINE = $summing_merge_tree
ORDER BY month
SETTINGS $durable
