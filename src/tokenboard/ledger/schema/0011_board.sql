-- Which board this ledger belongs to, so that a catalog or a spool in another's place is noticed: the latest row counts.
CREATE TABLE IF NOT EXISTS board${on} (id String, joined DateTime64(3, 'UTC') DEFAULT now64(3))
ENGINE = $merge_tree_everywhere
ORDER BY joined
SETTINGS $durable;

ALTER TABLE board${on} MODIFY SETTING $forgetful
