-- The apps with usage.
SELECT DISTINCT toInt64(app_id) FROM app_daily
