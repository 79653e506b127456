-- Keep when a target was deleted. $1 target, $2 t.
INSERT INTO dropped_target (target, t) VALUES ($1, $2) ON CONFLICT (target) DO UPDATE SET t = excluded.t
