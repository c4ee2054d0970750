-- Every model used in a window, with its tokens in the window before. Whole days.
SELECT
    toString(model) AS model_name,
    sumIf(requests, day >= {first:Date}) AS total_requests,
    sumIf(failed, day >= {first:Date}) AS total_failed,
    sumIf(prompt_tokens, day >= {first:Date}) AS total_prompt,
    sumIf(completion_tokens, day >= {first:Date}) AS total_completion,
    sumIf(cached_tokens, day >= {first:Date}) AS total_cached,
    sumIf(reasoning_tokens, day >= {first:Date}) AS total_reasoning,
    sumIf(cost, day >= {first:Date}) AS total_cost,
    sumIf(prompt_tokens, day < {first:Date}) + sumIf(completion_tokens, day < {first:Date}) AS tokens_before
FROM model_daily
WHERE day BETWEEN {first_before:Date} AND {last:Date}
GROUP BY model_name
