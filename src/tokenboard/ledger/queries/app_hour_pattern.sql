-- When in a week some apps are used together: ISO weekday and hour, UTC, as far back as hours are kept.
SELECT
    toUInt8(toDayOfWeek(hour)) AS weekday,
    toUInt8(toHour(hour)) AS hour_of_day,
    sum(prompt_tokens) + sum(completion_tokens) AS tokens,
    sum(requests) AS total_requests
FROM app_hourly
WHERE app_id IN {app_ids:Array(UInt32)}
    AND hour >= toDateTime({first:Date}, 'UTC') AND hour < toDateTime({last:Date} + 1, 'UTC')
GROUP BY weekday, hour_of_day
ORDER BY weekday, hour_of_day
