-- The pieces of a rollup, by shard and month, that have a writer's batch, or a later one of his: none is written before
-- the one before it is whole.
SELECT DISTINCT shardNum() AS shard, toYYYYMM($rollup.$bucket) AS month
FROM $rollup
WHERE toDate($rollup.$bucket) BETWEEN {first_day:Date} AND {last_day:Date}
    AND $rollup.writer = {writer:UInt64} AND $rollup.batch >= {batch:UInt64}
