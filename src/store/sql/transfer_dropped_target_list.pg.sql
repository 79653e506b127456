-- A page of table ts_dropped_target. After $1 target; $2 how many at most.
SELECT target, t_ms FROM ts_dropped_target WHERE target > $1 ORDER BY target LIMIT $2
