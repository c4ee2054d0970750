-- A cluster: its shards, its replicas, the fewest of one shard, how many weights there are, and failed connections.
SELECT count(), sum(replicas), min(replicas), uniqExact(weight), sum(errors)
FROM
(
    SELECT
        clusters.shard_num AS shard,
        count() AS replicas,
        any(clusters.shard_weight) AS weight,
        sum(clusters.errors_count) AS errors
    FROM system.clusters AS clusters
    WHERE clusters.cluster = {cluster:String}
    GROUP BY shard
)
