-- seal_root_key_put: keep a root key sealed anew.
-- $1 place, $2 sealed
UPDATE root_key SET sealed = $2 WHERE name = $1;
