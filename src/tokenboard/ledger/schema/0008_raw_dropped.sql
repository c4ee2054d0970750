-- The months whose raw events were dropped for their age. Their rollups are all that is left: they are never rebuilt,
-- and events that come for such a month later are in the rollups alone once they are dropped too.
CREATE TABLE IF NOT EXISTS raw_dropped${on} (month UInt32, dropped DateTime('UTC') DEFAULT now())
ENGINE = $merge_tree_everywhere
ORDER BY month
SETTINGS $durable
