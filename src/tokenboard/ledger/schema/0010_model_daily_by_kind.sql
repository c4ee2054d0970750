-- Figures per UTC day and model are also kept apart by kind of request: its context bucket, its output, its use of tools;
-- '' is unknown. What stands in the table already is of no known kind until the next start of the drain, when the months
-- that have their raw events are summed anew; from then on rollups_filled names the table.
DROP VIEW IF EXISTS model_daily_view${on} SYNC;
ALTER TABLE usage${local}${on} ADD COLUMN IF NOT EXISTS tool_calls Nullable(Bool);
ALTER TABLE model_daily${local}${on}
    ADD COLUMN IF NOT EXISTS context_bucket LowCardinality(String),
    ADD COLUMN IF NOT EXISTS output LowCardinality(String),
    ADD COLUMN IF NOT EXISTS tool_use LowCardinality(String),
    MODIFY ORDER BY (day, model, context_bucket, output, tool_use);
CREATE MATERIALIZED VIEW model_daily_view${on} TO model_daily${local} AS $model_daily_sums_by_kind
