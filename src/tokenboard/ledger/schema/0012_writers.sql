-- A batch is a number and a writer: the number is one writer's own, and several write to one ledger. Every row says both,
-- and a row of a rollup is one writer's, so that each table can be asked for anybody's batch. 0 is the writer from before
-- there were several. day_changes also says when a day has changed, and rebuilds whose they are.
DROP VIEW IF EXISTS app_daily_view${on} SYNC;
DROP VIEW IF EXISTS app_model_daily_view${on} SYNC;
DROP VIEW IF EXISTS model_daily_view${on} SYNC;
DROP VIEW IF EXISTS app_hourly_view${on} SYNC;
DROP VIEW IF EXISTS key_daily_view${on} SYNC;
ALTER TABLE usage${local}${on} ADD COLUMN IF NOT EXISTS writer UInt64;
ALTER TABLE app_daily${local}${on}
    ADD COLUMN IF NOT EXISTS writer UInt64,
    MODIFY ORDER BY (day, app_id, writer);
ALTER TABLE app_model_daily${local}${on}
    ADD COLUMN IF NOT EXISTS writer UInt64,
    MODIFY ORDER BY (day, app_id, model, writer);
ALTER TABLE model_daily${local}${on}
    ADD COLUMN IF NOT EXISTS writer UInt64,
    MODIFY ORDER BY (day, model, context_bucket, output, tool_use, writer);
ALTER TABLE app_hourly${local}${on}
    ADD COLUMN IF NOT EXISTS writer UInt64,
    MODIFY ORDER BY (hour, app_id, writer);
ALTER TABLE key_daily${local}${on}
    ADD COLUMN IF NOT EXISTS writer UInt64,
    MODIFY ORDER BY (day, key_id, writer);
ALTER TABLE day_changes${on}
    ADD COLUMN IF NOT EXISTS writer UInt64,
    ADD COLUMN IF NOT EXISTS noted SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3),
    MODIFY ORDER BY (day, writer);
ALTER TABLE rebuilds${on}
    ADD COLUMN IF NOT EXISTS writer UInt64,
    ADD COLUMN IF NOT EXISTS noted SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3),
    MODIFY ORDER BY (month, writer);
CREATE MATERIALIZED VIEW app_daily_view${on} TO app_daily${local} AS $app_daily_sums_by_writer;
CREATE MATERIALIZED VIEW app_model_daily_view${on} TO app_model_daily${local} AS $app_model_daily_sums_by_writer;
CREATE MATERIALIZED VIEW model_daily_view${on} TO model_daily${local} AS $model_daily_sums_by_writer;
CREATE MATERIALIZED VIEW app_hourly_view${on} TO app_hourly${local} AS $app_hourly_sums_by_writer;
CREATE MATERIALIZED VIEW key_daily_view${on} TO key_daily${local} AS $key_daily_sums_by_writer
