-- Every row says which batch it came with; a row of a rollup, which came with many, the latest of them. It is written in
-- the same step as the figures, so a table can be asked month by month whether it has a batch. Raw events that are
-- written once more after a crash are summed apart, into the rollups that lack them: the views pass them over.
DROP VIEW IF EXISTS app_daily_view${on} SYNC;
DROP VIEW IF EXISTS app_model_daily_view${on} SYNC;
DROP VIEW IF EXISTS model_daily_view${on} SYNC;
DROP VIEW IF EXISTS app_hourly_view${on} SYNC;
DROP VIEW IF EXISTS key_daily_view${on} SYNC;
ALTER TABLE usage${local}${on} ADD COLUMN IF NOT EXISTS batch UInt64;
ALTER TABLE usage${local}${on} ADD COLUMN IF NOT EXISTS summed_apart Bool;
ALTER TABLE app_daily${local}${on} ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);
ALTER TABLE app_model_daily${local}${on} ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);
ALTER TABLE model_daily${local}${on} ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);
ALTER TABLE app_hourly${local}${on} ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);
ALTER TABLE key_daily${local}${on} ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);
ALTER TABLE day_changes${on} ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);
CREATE MATERIALIZED VIEW app_daily_view${on} TO app_daily${local} AS $app_daily_sums;
CREATE MATERIALIZED VIEW app_model_daily_view${on} TO app_model_daily${local} AS $app_model_daily_sums;
CREATE MATERIALIZED VIEW model_daily_view${on} TO model_daily${local} AS $model_daily_sums;
CREATE MATERIALIZED VIEW app_hourly_view${on} TO app_hourly${local} AS $app_hourly_sums;
CREATE MATERIALIZED VIEW key_daily_view${on} TO key_daily${local} AS $key_daily_sums;

-- Rows that look alike are rows all the same here: without a token the engine would take the second for the first.
ALTER TABLE day_changes${on} MODIFY SETTING $forgetful;
ALTER TABLE raw_dropped${on} MODIFY SETTING $forgetful;

-- The months whose rollups are being made anew: a month whose numbers do not add up to zero was not finished.
CREATE TABLE IF NOT EXISTS rebuilds${on} (month UInt32, open Int64)
ENGINE = $summing_merge_tree_everywhere
ORDER BY month
SETTINGS $durable;
ALTER TABLE rebuilds${on} MODIFY SETTING $forgetful
