-- What some apps used together, by UTC hour, as far back as hours are kept.
SELECT
    toUnixTimestamp(hour) AS starts,
    sum(requests),
    sum(failed),
    sum(prompt_tokens),
    sum(completion_tokens),
    sum(cached_tokens),
    sum(reasoning_tokens),
    sum(cost)
FROM app_hourly
WHERE app_id IN {app_ids:Array(UInt32)}
    AND hour >= toDateTime({first:Date}, 'UTC') AND hour < toDateTime({last:Date} + 1, 'UTC')
GROUP BY starts
ORDER BY starts
