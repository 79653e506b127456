-- A wide table has a column. $1 relation, $2 is_key, $3 id, $4 type.
INSERT INTO ts_wide (relation, is_key, id, type) VALUES ($1, $2, $3, $4) ON CONFLICT (relation, is_key, id) DO NOTHING
