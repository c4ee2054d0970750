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

-- Every usage event as it came, one row each. app_id 0 is unattributed traffic, and then reason says why.
-- NULL is unknown, never zero. Sorted by time: ids are minted in time order, so a look-up by id reads few granules.
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

-- Figures per UTC day and app: what rankings are computed from.
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

-- Figures per UTC day, app and model.
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

-- Figures per UTC day and model.
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

-- Figures per UTC hour and app, for a few weeks: usage patterns by hour.
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

-- How often the figures of a UTC day have changed. Written after a batch is in every table above, never by a view: a
-- reader who sees a count sees at least the figures it counts.
CREATE TABLE IF NOT EXISTS day_changes ON CLUSTER 'prod'
(
    day Date,
    changes UInt64
)
ENGINE = ReplicatedSummingMergeTree('/clickhouse/tables/{uuid}/all', '{shard}-{replica}')
ORDER BY day
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- Figures per UTC day and key: what a key has cost. A ledger that has events already gets them here at the next start of
-- the drain, once a batch that a crash interrupted is complete; from then on rollups_filled names the table.
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

-- The months whose raw events were dropped for their age. Their rollups are all that is left: they are never rebuilt,
-- and events that come for such a month later are in the rollups alone once they are dropped too.
CREATE TABLE IF NOT EXISTS raw_dropped ON CLUSTER 'prod' (month UInt32, dropped DateTime('UTC') DEFAULT now())
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/all', '{shard}-{replica}')
ORDER BY month
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

-- Every row says which batch it came with; a row of a rollup, which came with many, the latest of them. It is written in
-- the same step as the figures, so a table can be asked month by month whether it has a batch. Raw events that are
-- written once more after a crash are summed apart, into the rollups that lack them: the views pass them over.
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

-- Rows that look alike are rows all the same here: without a token the engine would take the second for the first.
ALTER TABLE day_changes ON CLUSTER 'prod' MODIFY SETTING replicated_deduplication_window = 0;

ALTER TABLE raw_dropped ON CLUSTER 'prod' MODIFY SETTING replicated_deduplication_window = 0;

-- The months whose rollups are being made anew: a month whose numbers do not add up to zero was not finished.
CREATE TABLE IF NOT EXISTS rebuilds ON CLUSTER 'prod' (month UInt32, open Int64)
ENGINE = ReplicatedSummingMergeTree('/clickhouse/tables/{uuid}/all', '{shard}-{replica}')
ORDER BY month
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

ALTER TABLE rebuilds ON CLUSTER 'prod' MODIFY SETTING replicated_deduplication_window = 0;

-- Figures per UTC day and model are also kept apart by kind of request: its context bucket, its output, its use of tools;

-- '' is unknown. What stands in the table already is of no known kind until the next start of the drain, when the months
-- that have their raw events are summed anew; from then on rollups_filled names the table.
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

-- Which board this ledger belongs to, so that a catalog or a spool in another's place is noticed: the latest row counts.
CREATE TABLE IF NOT EXISTS board ON CLUSTER 'prod' (id String, joined DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{uuid}/all', '{shard}-{replica}')
ORDER BY joined
SETTINGS replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = 604800, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1;

ALTER TABLE board ON CLUSTER 'prod' MODIFY SETTING replicated_deduplication_window = 0;

-- A batch is a number and a writer: the number is one writer's own, and several write to one ledger. Every row says both,
-- and a row of a rollup is one writer's, so that each table can be asked for anybody's batch. 0 is the writer from before
-- there were several. day_changes also says when a day has changed, and rebuilds whose they are.
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
