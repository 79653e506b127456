-- secret_hash: the value of a registration secret, which holds its id.
-- $1 id, $2 hash
UPDATE registration_secret SET secret_hash = $2 WHERE id = $1;
