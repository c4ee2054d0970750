-- Who used one model in a window: every app as it was seen, 0 for unattributed traffic.
SELECT
    app_id,
    sum(prompt_tokens) + sum(completion_tokens) AS tokens,
    sum(requests) AS total_requests
FROM app_model_daily
WHERE model = {model:String} AND day BETWEEN {first:Date} AND {last:Date}
GROUP BY app_id
ORDER BY app_id
