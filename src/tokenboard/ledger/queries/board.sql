-- The board this ledger belongs to.
SELECT id FROM board ORDER BY joined DESC LIMIT 1
