-- account_list: all accounts.
SELECT id, username, email, full_name, role, password_hash, is_active, last_login_ms, created_ms
FROM account
ORDER BY id;
