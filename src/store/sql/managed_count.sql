-- managed_count: number of managed instances.
SELECT count(*) AS total FROM managed_instance;
