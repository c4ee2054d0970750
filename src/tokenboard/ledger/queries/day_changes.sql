SELECT day, sum(changes) AS changes
FROM day_changes
GROUP BY day
ORDER BY day
