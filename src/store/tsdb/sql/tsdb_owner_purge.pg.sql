-- Forget who had groups. No parameters.
DELETE FROM ts_owner WHERE until < clock_timestamp() - interval '1 day'
