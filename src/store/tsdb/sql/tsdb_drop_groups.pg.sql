-- Keep which groups a deleted target had. $1 target.
INSERT INTO ts_dropped_group (grp, relation) SELECT id, relation FROM ts_group WHERE target = $1 ON CONFLICT (grp) DO NOTHING
