-- The number of the last batch that is in every table, 0 when none is.
SELECT max(day_changes.batch) FROM day_changes
