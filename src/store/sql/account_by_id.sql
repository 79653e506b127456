-- account_by_id: an account by id.
-- $1 id
SELECT id, username, email, full_name, role, password_hash, is_active, last_login_ms, created_ms
FROM account
WHERE id = $1;
