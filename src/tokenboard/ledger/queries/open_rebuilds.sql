-- The months whose rollups were being made anew when the program ended.
SELECT rebuilds.month AS month, sum(rebuilds.open) AS times
FROM rebuilds
GROUP BY month
HAVING times != 0
ORDER BY month
