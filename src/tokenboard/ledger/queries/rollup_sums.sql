-- What a rollup holds, summed from some of the raw events.
SELECT
    $keys,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost,
    max(usage.batch) AS batch
FROM $source
WHERE $which
GROUP BY $names
