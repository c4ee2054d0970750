-- Figures per UTC day, app and model.
CREATE TABLE IF NOT EXISTS app_model_daily${local}${on}
(
    day Date,
    app_id UInt32,
    model LowCardinality(String),
    requests UInt64,
    failed UInt64,
    prompt_tokens UInt128,
    completion_tokens UInt128,
    cached_tokens UInt128,
    reasoning_tokens UInt128,
    cost Decimal(38, 12)
)
ENGINE = $summing_merge_tree
PARTITION BY toYYYYMM(day)
ORDER BY (day, app_id, model)
SETTINGS $durable;

CREATE MATERIALIZED VIEW IF NOT EXISTS app_model_daily_view${on} TO app_model_daily${local} AS
SELECT
    toDate(usage.ts) AS day,
    app_id,
    model,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost
FROM usage${local} AS usage
GROUP BY day, app_id, model
