-- Sums may pass 2^63: each comes as its low 62 bits and the rest above them.
WITH figures AS
(
    SELECT
        day,
        app_id,
        sum(requests) AS total_requests,
        sum(prompt_tokens) AS total_prompt,
        total_prompt + sum(completion_tokens) AS total_tokens,
        sum(cached_tokens) AS total_cached,
        sum(reasoning_tokens) AS total_reasoning
    FROM app_daily
    WHERE {all_days:Bool} OR day IN {days:Array(Date)}
    GROUP BY day, app_id
)
SELECT
    toInt32(toUInt16(day)) AS day_number,
    toInt64(app_id) AS app_id,
    toInt64(total_requests) AS requests,
    toInt64(bitAnd(total_tokens, toUInt128(4611686018427387903))) AS tokens_low,
    toInt64(bitShiftRight(total_tokens, 62)) AS tokens_high,
    toInt64(bitAnd(total_prompt, toUInt128(4611686018427387903))) AS prompt_low,
    toInt64(bitShiftRight(total_prompt, 62)) AS prompt_high,
    toInt64(bitAnd(total_cached, toUInt128(4611686018427387903))) AS cached_low,
    toInt64(bitShiftRight(total_cached, 62)) AS cached_high,
    toInt64(bitAnd(total_reasoning, toUInt128(4611686018427387903))) AS reasoning_low,
    toInt64(bitShiftRight(total_reasoning, 62)) AS reasoning_high
FROM figures
ORDER BY day_number, app_id
