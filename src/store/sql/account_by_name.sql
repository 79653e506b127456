-- account_by_name: an account by its folded name.
-- $1 folded name
SELECT id, username, email, full_name, role, password_hash, is_active, last_login_ms, created_ms
FROM account
WHERE username_folded = $1;
