-- Whether Keeper answers.
SELECT count() FROM system.zookeeper WHERE path = '/'
