-- The months in which a rollup has a batch, or a later one: no later one is written before it is whole.
SELECT DISTINCT toYYYYMM($rollup.$bucket) AS month
FROM $rollup
WHERE toDate($rollup.$bucket) BETWEEN {first_day:Date} AND {last_day:Date} AND $rollup.batch >= {batch:UInt64}
