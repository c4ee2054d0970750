-- A number for each UTC day that grows whenever its figures have changed; where replicas may be behind, once more when the
-- last change has settled.
SELECT day_changes.day AS day, toUInt64($change_number) AS number
FROM day_changes
GROUP BY day
ORDER BY day
