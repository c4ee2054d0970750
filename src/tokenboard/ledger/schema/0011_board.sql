-- Which board this ledger belongs to, so that a catalog or a spool in another's place is noticed: the latest row counts.
CREATE TABLE IF NOT EXISTS board (id String, joined DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = $merge_tree
ORDER BY joined
SETTINGS $durable;

ALTER TABLE board MODIFY SETTING non_replicated_deduplication_window = 0
