-- How many shards a cluster has, 0 when the server knows none of this name.
SELECT max(clusters.shard_num) FROM system.clusters AS clusters WHERE clusters.cluster = {cluster:String}
