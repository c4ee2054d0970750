-- Every replica of every table: whether it takes writes, how far behind it is, how many of its table are active.
SELECT
    hostName() AS host,
    replicas.table,
    replicas.is_readonly,
    replicas.absolute_delay,
    replicas.active_replicas,
    replicas.total_replicas
FROM clusterAllReplicas($cluster, system.replicas) AS replicas
WHERE replicas.database = {database:String}
ORDER BY host, replicas.table
