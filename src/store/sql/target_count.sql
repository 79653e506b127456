-- target_count: number of targets.
SELECT count(*) AS total FROM target;
