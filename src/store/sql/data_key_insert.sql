-- data_key_insert: add a data key.
-- $1 generation, $2 wrapped, $3 created (ms)
INSERT INTO data_key (generation, wrapped, sealed, created_ms) VALUES ($1, $2, 0, $3);
