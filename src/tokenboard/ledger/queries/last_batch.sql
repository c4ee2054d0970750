-- The number of a writer's last batch that is in every table, 0 when none is; asked of every node, as one may be behind.
SELECT max(changes.batch) FROM $all_day_changes AS changes WHERE changes.writer IN {writers:Array(UInt64)}
