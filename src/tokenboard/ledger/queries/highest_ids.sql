-- The highest ids in the raw events: of apps, keys and accounts.
SELECT max(usage.app_id), max(usage.key_id), max(usage.account_id) FROM usage
