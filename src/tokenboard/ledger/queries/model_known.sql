-- Whether a model has ever answered a request.
SELECT count() > 0
FROM (SELECT 1 FROM model_daily WHERE model = {model:String} AND requests > 0 LIMIT 1)
