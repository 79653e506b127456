-- Forget deletions of before. $1 t.
DELETE FROM ts_dropped_target WHERE t_ms < $1
