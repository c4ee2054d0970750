SELECT
    toString(toDate($rollup.$bucket)) AS day,
    sum($rollup.requests) AS requests,
    sum($rollup.failed) AS failed,
    sum($rollup.prompt_tokens) AS prompt_tokens,
    sum($rollup.completion_tokens) AS completion_tokens,
    sum($rollup.cached_tokens) AS cached_tokens,
    sum($rollup.reasoning_tokens) AS reasoning_tokens,
    sum($rollup.cost) AS cost
FROM $rollup
GROUP BY day
ORDER BY day
