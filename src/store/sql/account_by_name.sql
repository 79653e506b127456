-- account_by_name: an account by its folded name.
-- $1 folded name
SELECT id, username, email, full_name, role, password_hash, is_active, last_login_ms, created_ms,
    group_names,
    (SELECT count(*) FROM account_totp t WHERE t.account_id = account.id AND t.enabled_ms > 0) AS totp
FROM account
WHERE username_folded = $1;
