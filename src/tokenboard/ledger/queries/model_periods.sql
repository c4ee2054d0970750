-- Tokens per period and model: the top models of each period by name, all others as one (named 0). A model that calls
-- itself by the name of the rest is part of the rest. Of a kind of requests only, where '' is any.
WITH figures AS
(
    SELECT
        toDate(dateTrunc({period:String}, day)) AS starts,
        toString(model) AS model_name,
        sum(prompt_tokens) + sum(completion_tokens) AS tokens
    FROM model_daily
    WHERE day BETWEEN {first:Date} AND {last:Date}
        AND ({context_bucket:String} = '' OR context_bucket = {context_bucket:String})
        AND ({output:String} = '' OR output = {output:String})
        AND ({tool_use:String} = '' OR tool_use = {tool_use:String})
    GROUP BY starts, model_name
    HAVING tokens > 0
),
placed AS
(
    SELECT
        starts,
        model_name,
        tokens,
        row_number() OVER (PARTITION BY starts ORDER BY model_name = {rest:String}, tokens DESC, model_name) AS place
    FROM figures
)
SELECT
    starts,
    toUInt8(place <= {top:UInt32} AND model_name != {rest:String}) AS named,
    if(named = 1, model_name, {rest:String}) AS shown,
    sum(tokens) AS total_tokens
FROM placed
GROUP BY starts, named, shown
ORDER BY starts, named DESC, total_tokens DESC, shown
