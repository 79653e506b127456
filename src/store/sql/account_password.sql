-- account_password: change a password.
-- $1 id, $2 password hash, $3 now (ms)
UPDATE account SET password_hash = $2, updated_ms = $3 WHERE id = $1;
