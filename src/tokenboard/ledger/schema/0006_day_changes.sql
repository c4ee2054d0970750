-- How often the figures of a UTC day have changed. Written after a batch is in every table above, never by a view: a
-- reader who sees a count sees at least the figures it counts.
CREATE TABLE IF NOT EXISTS day_changes${on}
(
    day Date,
    changes UInt64
)
ENGINE = $summing_merge_tree_everywhere
ORDER BY day
SETTINGS $durable
