-- What the rows of one table (raw: as the rollup's own view would sum them) add up to in one month.
SELECT
    sum(requests),
    sum(failed),
    sum(prompt_tokens),
    sum(completion_tokens),
    sum(cached_tokens),
    sum(reasoning_tokens),
    sum(cost)
FROM ($rows)
