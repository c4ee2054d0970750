-- What one key has cost, in all and since the beginnings of this UTC day, week and month.
SELECT
    sum(ifNull(usage.cost, 0)) AS total,
    sumIf(ifNull(usage.cost, 0), usage.ts >= toDateTime64({month:Date}, 3, 'UTC')) AS month,
    sumIf(ifNull(usage.cost, 0), usage.ts >= toDateTime64({week:Date}, 3, 'UTC')) AS week,
    sumIf(ifNull(usage.cost, 0), usage.ts >= toDateTime64({day:Date}, 3, 'UTC')) AS day
FROM usage
WHERE usage.key_id = {key_id:UInt32}
