-- The keys with usage.
SELECT DISTINCT toInt64(key_id) FROM key_daily
