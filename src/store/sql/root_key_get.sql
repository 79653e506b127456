-- root_key_get: a root key by name.
-- $1 name
SELECT sealed FROM root_key WHERE name = $1;
