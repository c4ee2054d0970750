-- The pieces of the raw table, by shard (0: there is but one) and month, that have a batch. Its time span keeps the search
-- to few granules of a large table.
SELECT DISTINCT shardNum() AS shard, toYYYYMM(usage.ts) AS month
FROM usage
WHERE usage.writer = {writer:UInt64} AND usage.batch = {batch:UInt64}
    AND usage.ts BETWEEN fromUnixTimestamp64Milli({first_ms:Int64}) AND fromUnixTimestamp64Milli({last_ms:Int64})
