-- The newest record of which a target was taken. $1 target. Columns: lsn.
SELECT lsn FROM ts_target_seen WHERE target = $1
