-- The months whose rollups are being made anew, or were when a program ended: how often that was begun, by whom, and how
-- many seconds ago the last time was.
SELECT
    rebuilds.month AS month,
    rebuilds.writer AS writer,
    sum(rebuilds.open) AS times,
    toInt64(dateDiff('second', max(rebuilds.noted), now64(3))) AS since_s
FROM rebuilds
GROUP BY month, writer
HAVING times != 0
ORDER BY month, writer
