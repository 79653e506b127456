-- Keep it. $1 target, $2 lsn.
INSERT INTO ts_target_seen (target, lsn) VALUES ($1, $2)
ON CONFLICT (target) DO UPDATE SET lsn = excluded.lsn WHERE ts_target_seen.lsn < excluded.lsn
