SELECT
    toString(toDate(usage.ts)) AS day,
    countIf(NOT usage.failed) AS requests,
    countIf(usage.failed) AS failed,
    sum(toUInt128(ifNull(usage.prompt_tokens, 0))) AS prompt_tokens,
    sum(toUInt128(ifNull(usage.completion_tokens, 0))) AS completion_tokens,
    sum(toUInt128(ifNull(usage.cached_tokens, 0))) AS cached_tokens,
    sum(toUInt128(ifNull(usage.reasoning_tokens, 0))) AS reasoning_tokens,
    sum(ifNull(usage.cost, 0)) AS cost
FROM usage
GROUP BY day
ORDER BY day
