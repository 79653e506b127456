-- Keep when a target was deleted. $1 target, $2 t.
INSERT INTO ts_dropped_target (target, t_ms) VALUES ($1, $2) ON CONFLICT (target) DO UPDATE SET t_ms = excluded.t_ms
