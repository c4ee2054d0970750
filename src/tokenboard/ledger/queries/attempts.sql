-- How many attempts at a batch the engine is still working on.
SELECT count() FROM $processes AS processes WHERE startsWith(processes.initial_query_id, {attempts:String})
