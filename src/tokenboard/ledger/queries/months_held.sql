-- The months that have rows in one table, from the names of its parts: nothing of the table is read.
SELECT DISTINCT toUInt32(system.parts.partition) AS month
FROM system.parts
WHERE system.parts.active AND system.parts.database = currentDatabase() AND system.parts.table = {table:String}
ORDER BY month
