-- Figures per UTC hour and app, for a few weeks: usage patterns by hour.
CREATE TABLE IF NOT EXISTS app_hourly${local}${on}
(
    hour DateTime('UTC'),
    app_id UInt32,
    requests UInt64,
    failed UInt64,
    prompt_tokens UInt128,
    completion_tokens UInt128,
    cached_tokens UInt128,
    reasoning_tokens UInt128,
    cost Decimal(38, 12)
)
ENGINE = $summing_merge_tree
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, app_id)
TTL hour + INTERVAL 5 WEEK
SETTINGS $durable;

CREATE MATERIALIZED VIEW IF NOT EXISTS app_hourly_view${on} TO app_hourly${local} AS
SELECT
    toStartOfHour(toDateTime(usage.ts, 'UTC')) AS hour,
    app_id,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost
FROM usage${local} AS usage
GROUP BY hour, app_id
