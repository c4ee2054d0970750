-- Every key of one rollup and month whose figures are not what the raw events add up to. Either side may lack the key.
WITH
    raw AS ($from_raw),
    held AS
    (
        SELECT
            $keys,
            sum($rollup.requests) AS requests,
            sum($rollup.failed) AS failed,
            sum($rollup.prompt_tokens) AS prompt_tokens,
            sum($rollup.completion_tokens) AS completion_tokens,
            sum($rollup.cached_tokens) AS cached_tokens,
            sum($rollup.reasoning_tokens) AS reasoning_tokens,
            sum($rollup.cost) AS cost,
            max($rollup.batch) AS batch
        FROM $rollup
        WHERE toYYYYMM($rollup.$bucket) = {month:UInt32} AND toDate($rollup.$bucket) >= {since:Date}
        GROUP BY $keys
    ),
    both AS
    (
        SELECT *, 1 AS is_raw FROM raw
        UNION ALL
        SELECT *, 0 AS is_raw FROM held
    ),
    sides AS
    (
        SELECT
            $keys,
            [sumIf(both.requests, is_raw), sumIf(both.failed, is_raw), sumIf(both.prompt_tokens, is_raw),
             sumIf(both.completion_tokens, is_raw), sumIf(both.cached_tokens, is_raw),
             sumIf(both.reasoning_tokens, is_raw)] AS raw_counts,
            [sumIf(both.requests, NOT is_raw), sumIf(both.failed, NOT is_raw), sumIf(both.prompt_tokens, NOT is_raw),
             sumIf(both.completion_tokens, NOT is_raw), sumIf(both.cached_tokens, NOT is_raw),
             sumIf(both.reasoning_tokens, NOT is_raw)] AS held_counts,
            sumIf(both.cost, is_raw) AS raw_cost,
            sumIf(both.cost, NOT is_raw) AS held_cost
        FROM both
        GROUP BY $keys
    )
SELECT
    toString($bucket) AS at,
    writer,
    $shown_app AS app_id,
    $shown_model AS model,
    $shown_kind AS kind,
    raw_counts,
    held_counts,
    raw_cost,
    held_cost,
    count() OVER () AS differences
FROM sides
WHERE raw_counts != held_counts OR raw_cost != held_cost
ORDER BY $keys
LIMIT {limit:UInt32}
