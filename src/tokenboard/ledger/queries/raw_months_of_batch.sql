-- The months in which the raw table has a batch. Its time span keeps the search to few granules of a large table.
SELECT DISTINCT toYYYYMM(usage.ts) AS month
FROM usage
WHERE usage.batch = {batch:UInt64}
    AND usage.ts BETWEEN fromUnixTimestamp64Milli({first_ms:Int64}) AND fromUnixTimestamp64Milli({last_ms:Int64})
