-- What some apps used together, by UTC day and model: the top models by tokens each by name, all others as one (named 0).
WITH figures AS
(
    SELECT
        day,
        toString(model) AS model_name,
        sum(requests) AS total_requests,
        sum(failed) AS total_failed,
        sum(prompt_tokens) AS total_prompt,
        sum(completion_tokens) AS total_completion,
        sum(cached_tokens) AS total_cached,
        sum(reasoning_tokens) AS total_reasoning,
        sum(cost) AS total_cost
    FROM app_model_daily
    WHERE app_id IN {app_ids:Array(UInt32)} AND day BETWEEN {first:Date} AND {last:Date}
    GROUP BY day, model_name
),
top_models AS
(
    SELECT model_name
    FROM figures
    GROUP BY model_name
    HAVING sum(total_prompt) + sum(total_completion) > 0
    ORDER BY sum(total_prompt) + sum(total_completion) DESC, model_name
    LIMIT {top:UInt32}
)
SELECT
    day,
    toUInt8(model_name IN (SELECT model_name FROM top_models)) AS named,
    if(named = 1, model_name, '') AS shown,
    sum(total_requests),
    sum(total_failed),
    sum(total_prompt),
    sum(total_completion),
    sum(total_cached),
    sum(total_reasoning),
    sum(total_cost)
FROM figures
GROUP BY day, named, shown
ORDER BY day, named, shown
