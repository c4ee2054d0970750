-- One model by UTC day.
SELECT
    day,
    sum(requests),
    sum(failed),
    sum(prompt_tokens),
    sum(completion_tokens),
    sum(cached_tokens),
    sum(reasoning_tokens),
    sum(cost)
FROM model_daily
WHERE model = {model:String} AND day BETWEEN {first:Date} AND {last:Date}
GROUP BY day
ORDER BY day
