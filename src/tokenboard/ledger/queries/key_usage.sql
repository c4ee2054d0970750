-- What one key has cost, in all and since the beginnings of this UTC day, week and month.
SELECT
    sum(key_daily.cost) AS total,
    sumIf(key_daily.cost, key_daily.day >= {month:Date}) AS month,
    sumIf(key_daily.cost, key_daily.day >= {week:Date}) AS week,
    sumIf(key_daily.cost, key_daily.day >= {day:Date}) AS day
FROM key_daily
WHERE key_daily.key_id = {key_id:UInt32}
