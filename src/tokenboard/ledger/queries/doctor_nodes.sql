-- Every node that answers: its clock and its macros.
SELECT
    hostName() AS host,
    toUnixTimestamp64Milli(now64(3)) AS clock_ms,
    groupArray((macros.macro, macros.substitution)) AS macros
FROM clusterAllReplicas($cluster, system.macros) AS macros
GROUP BY host
ORDER BY host
