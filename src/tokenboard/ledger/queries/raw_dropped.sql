SELECT DISTINCT month
FROM raw_dropped
ORDER BY month
