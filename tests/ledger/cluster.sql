-- With every statement:
-- distributed_foreground_insert = 1
-- insert_quorum = auto
-- insert_quorum_timeout = 60000
-- parallel_distributed_insert_select = 0
-- load_balancing = in_order
-- prefer_localhost_replica = 0
-- max_replica_delay_for_distributed_queries = 30
-- fallback_to_stale_replicas_for_distributed_queries = 0
-- alter_sync = 2

CREATE TABLE IF NOT EXISTS schema_files ON CLUSTER 'prod' (name String, applied DateTime DEFAULT now()) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/all', '{shard}-{replica}') ORDER BY name;

CREATE TABLE IF NOT EXISTS usage_local ON CLUSTER 'prod'
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
ENGINE = ReplicatedMergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (ts, id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS app_daily_local ON CLUSTER 'prod'
(
    day Date,
    app_id UInt32,
    requests UInt64,
    failed UInt64,
    prompt_tokens UInt128,
    completion_tokens UInt128,
    cached_tokens UInt128,
    reasoning_tokens UInt128,
    cost Decimal(38, 12)
)
ENGINE = ReplicatedSummingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (day, app_id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS app_daily_view ON CLUSTER 'prod' TO app_daily_local AS
SELECT
    toDate(usage.ts) AS day,
    app_id,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost
FROM usage_local AS usage
GROUP BY day, app_id;

CREATE TABLE IF NOT EXISTS app_model_daily_local ON CLUSTER 'prod'
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
ENGINE = ReplicatedSummingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (day, app_id, model)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS app_model_daily_view ON CLUSTER 'prod' TO app_model_daily_local AS
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
FROM usage_local AS usage
GROUP BY day, app_id, model;

CREATE TABLE IF NOT EXISTS model_daily_local ON CLUSTER 'prod'
(
    day Date,
    model LowCardinality(String),
    requests UInt64,
    failed UInt64,
    prompt_tokens UInt128,
    completion_tokens UInt128,
    cached_tokens UInt128,
    reasoning_tokens UInt128,
    cost Decimal(38, 12)
)
ENGINE = ReplicatedSummingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (day, model)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS model_daily_view ON CLUSTER 'prod' TO model_daily_local AS
SELECT
    toDate(usage.ts) AS day,
    model,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost
FROM usage_local AS usage
GROUP BY day, model;

CREATE TABLE IF NOT EXISTS app_hourly_local ON CLUSTER 'prod'
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
ENGINE = ReplicatedSummingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (hour, app_id)
TTL hour + INTERVAL 5 WEEK
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS app_hourly_view ON CLUSTER 'prod' TO app_hourly_local AS
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
FROM usage_local AS usage
GROUP BY hour, app_id;

CREATE TABLE IF NOT EXISTS day_changes ON CLUSTER 'prod'
(
    day Date,
    changes UInt64
)
ENGINE = ReplicatedSummingMergeTree('/clickhouse/tables/{uuid}/all', '{shard}-{replica}')
ORDER BY day
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS key_daily_local ON CLUSTER 'prod'
(
    day Date,
    key_id UInt32,
    requests UInt64,
    failed UInt64,
    prompt_tokens UInt128,
    completion_tokens UInt128,
    cached_tokens UInt128,
    reasoning_tokens UInt128,
    cost Decimal(38, 12)
)
ENGINE = ReplicatedSummingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (day, key_id)
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS key_daily_view ON CLUSTER 'prod' TO key_daily_local AS
SELECT
    toDate(usage.ts) AS day,
    key_id,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost
FROM usage_local AS usage
GROUP BY day, key_id;

CREATE TABLE IF NOT EXISTS rollups_filled ON CLUSTER 'prod' (name String) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/all', '{shard}-{replica}') ORDER BY name;

CREATE TABLE IF NOT EXISTS raw_dropped ON CLUSTER 'prod' (month UInt32, dropped DateTime('UTC') DEFAULT now())
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/all', '{shard}-{replica}')
ORDER BY month
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

DROP VIEW IF EXISTS app_daily_view ON CLUSTER 'prod' SYNC;

DROP VIEW IF EXISTS app_model_daily_view ON CLUSTER 'prod' SYNC;

DROP VIEW IF EXISTS model_daily_view ON CLUSTER 'prod' SYNC;

DROP VIEW IF EXISTS app_hourly_view ON CLUSTER 'prod' SYNC;

DROP VIEW IF EXISTS key_daily_view ON CLUSTER 'prod' SYNC;

ALTER TABLE usage_local ON CLUSTER 'prod' ADD COLUMN IF NOT EXISTS batch UInt64;

ALTER TABLE usage_local ON CLUSTER 'prod' ADD COLUMN IF NOT EXISTS summed_apart Bool;

ALTER TABLE app_daily_local ON CLUSTER 'prod' ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);

ALTER TABLE app_model_daily_local ON CLUSTER 'prod' ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);

ALTER TABLE model_daily_local ON CLUSTER 'prod' ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);

ALTER TABLE app_hourly_local ON CLUSTER 'prod' ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);

ALTER TABLE key_daily_local ON CLUSTER 'prod' ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);

ALTER TABLE day_changes ON CLUSTER 'prod' ADD COLUMN IF NOT EXISTS batch SimpleAggregateFunction(max, UInt64);

CREATE MATERIALIZED VIEW app_daily_view ON CLUSTER 'prod' TO app_daily_local AS -- What a rollup holds, summed from some of the raw events.
SELECT
    toDate(usage.ts) AS day, usage.app_id AS app_id,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost,
    max(usage.batch) AS batch
FROM usage_local AS usage
WHERE NOT usage.summed_apart
GROUP BY day, app_id;

CREATE MATERIALIZED VIEW app_model_daily_view ON CLUSTER 'prod' TO app_model_daily_local AS -- What a rollup holds, summed from some of the raw events.
SELECT
    toDate(usage.ts) AS day, usage.app_id AS app_id, usage.model AS model,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost,
    max(usage.batch) AS batch
FROM usage_local AS usage
WHERE NOT usage.summed_apart
GROUP BY day, app_id, model;

CREATE MATERIALIZED VIEW model_daily_view ON CLUSTER 'prod' TO model_daily_local AS -- What a rollup holds, summed from some of the raw events.
SELECT
    toDate(usage.ts) AS day, usage.model AS model,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost,
    max(usage.batch) AS batch
FROM usage_local AS usage
WHERE NOT usage.summed_apart
GROUP BY day, model;

CREATE MATERIALIZED VIEW app_hourly_view ON CLUSTER 'prod' TO app_hourly_local AS -- What a rollup holds, summed from some of the raw events.
SELECT
    toStartOfHour(toDateTime(usage.ts, 'UTC')) AS hour, usage.app_id AS app_id,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost,
    max(usage.batch) AS batch
FROM usage_local AS usage
WHERE NOT usage.summed_apart
GROUP BY hour, app_id;

CREATE MATERIALIZED VIEW key_daily_view ON CLUSTER 'prod' TO key_daily_local AS -- What a rollup holds, summed from some of the raw events.
SELECT
    toDate(usage.ts) AS day, usage.key_id AS key_id,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost,
    max(usage.batch) AS batch
FROM usage_local AS usage
WHERE NOT usage.summed_apart
GROUP BY day, key_id;

ALTER TABLE day_changes ON CLUSTER 'prod' MODIFY SETTING replicated_deduplication_window = 0;

ALTER TABLE raw_dropped ON CLUSTER 'prod' MODIFY SETTING replicated_deduplication_window = 0;

CREATE TABLE IF NOT EXISTS rebuilds ON CLUSTER 'prod' (month UInt32, open Int64)
ENGINE = ReplicatedSummingMergeTree('/clickhouse/tables/{uuid}/all', '{shard}-{replica}')
ORDER BY month
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

ALTER TABLE rebuilds ON CLUSTER 'prod' MODIFY SETTING replicated_deduplication_window = 0;

DROP VIEW IF EXISTS model_daily_view ON CLUSTER 'prod' SYNC;

ALTER TABLE usage_local ON CLUSTER 'prod' ADD COLUMN IF NOT EXISTS tool_calls Nullable(Bool);

ALTER TABLE model_daily_local ON CLUSTER 'prod'
    ADD COLUMN IF NOT EXISTS context_bucket LowCardinality(String),
    ADD COLUMN IF NOT EXISTS output LowCardinality(String),
    ADD COLUMN IF NOT EXISTS tool_use LowCardinality(String),
    MODIFY ORDER BY (day, model, context_bucket, output, tool_use);

CREATE MATERIALIZED VIEW model_daily_view ON CLUSTER 'prod' TO model_daily_local AS -- What a rollup holds, summed from some of the raw events.
SELECT
    toDate(usage.ts) AS day, usage.model AS model, multiIf(isNull(usage.prompt_tokens), '', usage.prompt_tokens <= 1000, '1K', usage.prompt_tokens <= 10000, '10K', usage.prompt_tokens <= 100000, '100K', usage.prompt_tokens <= 1000000, '1M', '10M') AS context_bucket, multiIf(usage.endpoint IN ('chat', 'completions', 'responses', 'messages'), 'text', usage.endpoint IN ('embeddings'), 'vectors', usage.endpoint = '' AND ifNull(usage.completion_tokens, 0) > 0, 'text', '') AS output, multiIf(isNull(usage.tool_calls), '', usage.tool_calls, 'called', 'none') AS tool_use,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost,
    max(usage.batch) AS batch
FROM usage_local AS usage
WHERE NOT usage.summed_apart
GROUP BY day, model, context_bucket, output, tool_use;

CREATE TABLE IF NOT EXISTS board ON CLUSTER 'prod' (id String, joined DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/all', '{shard}-{replica}')
ORDER BY joined
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

ALTER TABLE board ON CLUSTER 'prod' MODIFY SETTING replicated_deduplication_window = 0;

DROP VIEW IF EXISTS app_daily_view ON CLUSTER 'prod' SYNC;

DROP VIEW IF EXISTS app_model_daily_view ON CLUSTER 'prod' SYNC;

DROP VIEW IF EXISTS model_daily_view ON CLUSTER 'prod' SYNC;

DROP VIEW IF EXISTS app_hourly_view ON CLUSTER 'prod' SYNC;

DROP VIEW IF EXISTS key_daily_view ON CLUSTER 'prod' SYNC;

ALTER TABLE usage_local ON CLUSTER 'prod' ADD COLUMN IF NOT EXISTS writer UInt64;

ALTER TABLE app_daily_local ON CLUSTER 'prod'
    ADD COLUMN IF NOT EXISTS writer UInt64,
    MODIFY ORDER BY (day, app_id, writer);

ALTER TABLE app_model_daily_local ON CLUSTER 'prod'
    ADD COLUMN IF NOT EXISTS writer UInt64,
    MODIFY ORDER BY (day, app_id, model, writer);

ALTER TABLE model_daily_local ON CLUSTER 'prod'
    ADD COLUMN IF NOT EXISTS writer UInt64,
    MODIFY ORDER BY (day, model, context_bucket, output, tool_use, writer);

ALTER TABLE app_hourly_local ON CLUSTER 'prod'
    ADD COLUMN IF NOT EXISTS writer UInt64,
    MODIFY ORDER BY (hour, app_id, writer);

ALTER TABLE key_daily_local ON CLUSTER 'prod'
    ADD COLUMN IF NOT EXISTS writer UInt64,
    MODIFY ORDER BY (day, key_id, writer);

ALTER TABLE day_changes ON CLUSTER 'prod'
    ADD COLUMN IF NOT EXISTS writer UInt64,
    ADD COLUMN IF NOT EXISTS noted SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3),
    MODIFY ORDER BY (day, writer);

ALTER TABLE rebuilds ON CLUSTER 'prod'
    ADD COLUMN IF NOT EXISTS writer UInt64,
    ADD COLUMN IF NOT EXISTS noted SimpleAggregateFunction(max, DateTime64(3, 'UTC')) DEFAULT now64(3),
    MODIFY ORDER BY (month, writer);

CREATE MATERIALIZED VIEW app_daily_view ON CLUSTER 'prod' TO app_daily_local AS -- What a rollup holds, summed from some of the raw events.
SELECT
    toDate(usage.ts) AS day, usage.app_id AS app_id, usage.writer AS writer,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost,
    max(usage.batch) AS batch
FROM usage_local AS usage
WHERE NOT usage.summed_apart
GROUP BY day, app_id, writer;

CREATE MATERIALIZED VIEW app_model_daily_view ON CLUSTER 'prod' TO app_model_daily_local AS -- What a rollup holds, summed from some of the raw events.
SELECT
    toDate(usage.ts) AS day, usage.app_id AS app_id, usage.model AS model, usage.writer AS writer,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost,
    max(usage.batch) AS batch
FROM usage_local AS usage
WHERE NOT usage.summed_apart
GROUP BY day, app_id, model, writer;

CREATE MATERIALIZED VIEW model_daily_view ON CLUSTER 'prod' TO model_daily_local AS -- What a rollup holds, summed from some of the raw events.
SELECT
    toDate(usage.ts) AS day, usage.model AS model, multiIf(isNull(usage.prompt_tokens), '', usage.prompt_tokens <= 1000, '1K', usage.prompt_tokens <= 10000, '10K', usage.prompt_tokens <= 100000, '100K', usage.prompt_tokens <= 1000000, '1M', '10M') AS context_bucket, multiIf(usage.endpoint IN ('chat', 'completions', 'responses', 'messages'), 'text', usage.endpoint IN ('embeddings'), 'vectors', usage.endpoint = '' AND ifNull(usage.completion_tokens, 0) > 0, 'text', '') AS output, multiIf(isNull(usage.tool_calls), '', usage.tool_calls, 'called', 'none') AS tool_use, usage.writer AS writer,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost,
    max(usage.batch) AS batch
FROM usage_local AS usage
WHERE NOT usage.summed_apart
GROUP BY day, model, context_bucket, output, tool_use, writer;

CREATE MATERIALIZED VIEW app_hourly_view ON CLUSTER 'prod' TO app_hourly_local AS -- What a rollup holds, summed from some of the raw events.
SELECT
    toStartOfHour(toDateTime(usage.ts, 'UTC')) AS hour, usage.app_id AS app_id, usage.writer AS writer,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost,
    max(usage.batch) AS batch
FROM usage_local AS usage
WHERE NOT usage.summed_apart
GROUP BY hour, app_id, writer;

CREATE MATERIALIZED VIEW key_daily_view ON CLUSTER 'prod' TO key_daily_local AS -- What a rollup holds, summed from some of the raw events.
SELECT
    toDate(usage.ts) AS day, usage.key_id AS key_id, usage.writer AS writer,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost,
    max(usage.batch) AS batch
FROM usage_local AS usage
WHERE NOT usage.summed_apart
GROUP BY day, key_id, writer;

CREATE OR REPLACE TABLE usage ON CLUSTER 'prod' AS usage_local ENGINE = Distributed('prod', 'board', 'usage_local', app_id);

CREATE OR REPLACE TABLE app_daily ON CLUSTER 'prod' AS app_daily_local ENGINE = Distributed('prod', 'board', 'app_daily_local', app_id);

CREATE OR REPLACE TABLE app_model_daily ON CLUSTER 'prod' AS app_model_daily_local ENGINE = Distributed('prod', 'board', 'app_model_daily_local', app_id);

CREATE OR REPLACE TABLE model_daily ON CLUSTER 'prod' AS model_daily_local ENGINE = Distributed('prod', 'board', 'model_daily_local');

CREATE OR REPLACE TABLE app_hourly ON CLUSTER 'prod' AS app_hourly_local ENGINE = Distributed('prod', 'board', 'app_hourly_local', app_id);

CREATE OR REPLACE TABLE key_daily ON CLUSTER 'prod' AS key_daily_local ENGINE = Distributed('prod', 'board', 'key_daily_local');

DROP TABLE IF EXISTS model_daily_rebuilt ON CLUSTER 'prod' SYNC;

DROP TABLE IF EXISTS model_daily_rebuilt_local ON CLUSTER 'prod' SYNC;

CREATE TABLE model_daily_rebuilt_local ON CLUSTER 'prod' AS model_daily_local;

CREATE OR REPLACE TABLE model_daily_rebuilt ON CLUSTER 'prod' AS model_daily_rebuilt_local ENGINE = Distributed('prod', 'board', 'model_daily_rebuilt_local');

-- insert_shard_id = 1
INSERT INTO model_daily_rebuilt (day, model, context_bucket, output, tool_use, writer, requests, failed, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost, batch) -- What a rollup holds, summed from some of the raw events.
SELECT
    toDate(usage.ts) AS day, usage.model AS model, multiIf(isNull(usage.prompt_tokens), '', usage.prompt_tokens <= 1000, '1K', usage.prompt_tokens <= 10000, '10K', usage.prompt_tokens <= 100000, '100K', usage.prompt_tokens <= 1000000, '1M', '10M') AS context_bucket, multiIf(usage.endpoint IN ('chat', 'completions', 'responses', 'messages'), 'text', usage.endpoint IN ('embeddings'), 'vectors', usage.endpoint = '' AND ifNull(usage.completion_tokens, 0) > 0, 'text', '') AS output, multiIf(isNull(usage.tool_calls), '', usage.tool_calls, 'called', 'none') AS tool_use, usage.writer AS writer,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost,
    max(usage.batch) AS batch
FROM usage
WHERE toYYYYMM(usage.ts) = {month:UInt32} AND toDate(usage.ts) >= {since:Date} AND usage.app_id % 2 = 0
GROUP BY day, model, context_bucket, output, tool_use, writer;

-- insert_shard_id = 2
INSERT INTO model_daily_rebuilt (day, model, context_bucket, output, tool_use, writer, requests, failed, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost, batch) -- What a rollup holds, summed from some of the raw events.
SELECT
    toDate(usage.ts) AS day, usage.model AS model, multiIf(isNull(usage.prompt_tokens), '', usage.prompt_tokens <= 1000, '1K', usage.prompt_tokens <= 10000, '10K', usage.prompt_tokens <= 100000, '100K', usage.prompt_tokens <= 1000000, '1M', '10M') AS context_bucket, multiIf(usage.endpoint IN ('chat', 'completions', 'responses', 'messages'), 'text', usage.endpoint IN ('embeddings'), 'vectors', usage.endpoint = '' AND ifNull(usage.completion_tokens, 0) > 0, 'text', '') AS output, multiIf(isNull(usage.tool_calls), '', usage.tool_calls, 'called', 'none') AS tool_use, usage.writer AS writer,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost,
    max(usage.batch) AS batch
FROM usage
WHERE toYYYYMM(usage.ts) = {month:UInt32} AND toDate(usage.ts) >= {since:Date} AND usage.app_id % 2 = 1
GROUP BY day, model, context_bucket, output, tool_use, writer;

SYSTEM SYNC REPLICA ON CLUSTER 'prod' model_daily_rebuilt_local;

ALTER TABLE model_daily_local ON CLUSTER 'prod' REPLACE PARTITION 202601 FROM model_daily_rebuilt_local;

DROP TABLE IF EXISTS model_daily_rebuilt ON CLUSTER 'prod' SYNC;

DROP TABLE IF EXISTS model_daily_rebuilt_local ON CLUSTER 'prod' SYNC;

ALTER TABLE usage_local ON CLUSTER 'prod' DROP PARTITION 202501;

SYSTEM SYNC REPLICA ON CLUSTER 'prod' usage_local;

SYSTEM SYNC REPLICA ON CLUSTER 'prod' app_daily_local;

SYSTEM SYNC REPLICA ON CLUSTER 'prod' app_model_daily_local;

SYSTEM SYNC REPLICA ON CLUSTER 'prod' model_daily_local;

SYSTEM SYNC REPLICA ON CLUSTER 'prod' app_hourly_local;

SYSTEM SYNC REPLICA ON CLUSTER 'prod' key_daily_local;

-- The months that have rows in one table, from the names of its parts: nothing of the table is read.
SELECT DISTINCT toUInt32(parts.partition) AS month
FROM cluster('prod', system.parts) AS parts
WHERE parts.active AND parts.database = currentDatabase() AND parts.table = {table:String}
ORDER BY month;

-- How many attempts at a batch the engine is still working on.
SELECT count() FROM clusterAllReplicas('prod', system.processes) AS processes WHERE startsWith(processes.initial_query_id, {attempts:String});

-- The number of a writer's last batch that is in every table, 0 when none is; asked of every node, as one may be behind.
SELECT max(changes.batch) FROM clusterAllReplicas('prod', 'board', 'day_changes') AS changes WHERE changes.writer IN {writers:Array(UInt64)};

-- A number for each UTC day that grows whenever its figures have changed; where replicas may be behind, once more when the
-- last change has settled.
SELECT day_changes.day AS day, toUInt64(2 * sum(day_changes.changes) + (max(day_changes.noted) < now64(3) - INTERVAL 60 SECOND)) AS number
FROM day_changes
GROUP BY day
ORDER BY day;
