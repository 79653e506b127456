-- account_logged_in: note a login.
-- $1 id, $2 now (ms)
UPDATE account SET last_login_ms = $2 WHERE id = $1;
