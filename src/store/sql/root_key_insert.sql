-- root_key_insert: add a root key.
-- $1 name, $2 sealed
INSERT INTO root_key (name, sealed) VALUES ($1, $2);
