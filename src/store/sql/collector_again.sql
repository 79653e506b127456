-- collector_again: a collector registers again.
-- $1 id, $2 address, $3 version, $4 secret
UPDATE collector SET address = $2, version = $3, secret_id = $4 WHERE id = $1;
