-- The months that have rows in one table, from the names of its parts: nothing of the table is read.
SELECT DISTINCT toUInt32(parts.partition) AS month
FROM $parts AS parts
WHERE parts.active AND parts.database = currentDatabase() AND parts.table = {table:String}
ORDER BY month
