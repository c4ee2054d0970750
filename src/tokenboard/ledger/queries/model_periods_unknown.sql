-- Tokens of a window of which nobody knows whether they are of a kind: something that is asked for is unknown of them,
-- and nothing of it is known to be otherwise.
SELECT sum(prompt_tokens) + sum(completion_tokens) AS tokens
FROM model_daily
WHERE day BETWEEN {first:Date} AND {last:Date}
    AND ({context_bucket:String} = '' OR context_bucket IN ('', {context_bucket:String}))
    AND ({output:String} = '' OR output IN ('', {output:String}))
    AND ({tool_use:String} = '' OR tool_use IN ('', {tool_use:String}))
    AND (({context_bucket:String} != '' AND context_bucket = '')
        OR ({output:String} != '' AND output = '')
        OR ({tool_use:String} != '' AND tool_use = ''))
