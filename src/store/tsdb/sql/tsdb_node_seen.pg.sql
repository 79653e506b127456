-- A sign of life. $1 id, $2 name.
INSERT INTO ts_node (id, name, started, seen) VALUES ($1, $2, clock_timestamp(), clock_timestamp())
ON CONFLICT (id) DO UPDATE SET seen = excluded.seen
