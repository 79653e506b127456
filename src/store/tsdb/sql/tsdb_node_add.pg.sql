-- A server process begins. $1 name. Columns: id.
INSERT INTO ts_node (name, started, seen) VALUES ($1, clock_timestamp(), clock_timestamp()) RETURNING id
