-- Every usage event as it came, one row each. app_id 0 is unattributed traffic, and then reason says why.
-- NULL is unknown, never zero. Sorted by time: ids are minted in time order, so a look-up by id reads few granules.
CREATE TABLE IF NOT EXISTS usage${local}${on}
(
    id String,
    ts DateTime64(3, 'UTC'),
    received DateTime64(3, 'UTC'),
    source LowCardinality(String),
    account_id UInt32,
    key_id UInt32,
    app_id UInt32,
    reason LowCardinality(String),
    model LowCardinality(String),
    provider LowCardinality(String),
    endpoint LowCardinality(String),
    streamed Bool,
    status UInt16,
    failed Bool,
    usage_source LowCardinality(String),
    prompt_tokens Nullable(UInt64),
    completion_tokens Nullable(UInt64),
    cached_tokens Nullable(UInt64),
    reasoning_tokens Nullable(UInt64),
    cost Nullable(Decimal(38, 12)),
    latency_ms Nullable(UInt32),
    first_token_ms Nullable(UInt32),
    INDEX by_id id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = $merge_tree
PARTITION BY toYYYYMM(ts)
ORDER BY (ts, id)
SETTINGS $durable
