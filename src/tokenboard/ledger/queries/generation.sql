-- One event of one account. Its time, when the id tells it, leaves a few granules to read; else the index by_id does.
-- Ids from outside may come again after some days: then the latest counts.
SELECT
    usage.id,
    toUnixTimestamp64Milli(usage.ts) AS ts_ms,
    usage.source,
    usage.app_id,
    usage.model,
    usage.provider,
    usage.endpoint,
    usage.streamed,
    usage.status,
    usage.failed,
    usage.usage_source,
    usage.prompt_tokens,
    usage.completion_tokens,
    usage.cached_tokens,
    usage.reasoning_tokens,
    usage.cost,
    usage.latency_ms,
    usage.first_token_ms
FROM usage
WHERE usage.ts BETWEEN fromUnixTimestamp64Milli({first_ms:Int64}) AND fromUnixTimestamp64Milli({last_ms:Int64})
    AND usage.id = {id:String}
    AND usage.account_id = {account_id:UInt32}
ORDER BY usage.ts DESC
LIMIT 1
