-- account_list: accounts after an id.
-- $1 id, $2 how many, $3 rows to skip
SELECT id, username, email, full_name, role, password_hash, is_active, last_login_ms, created_ms,
    group_names,
    (SELECT count(*) FROM account_totp t WHERE t.account_id = account.id AND t.enabled_ms > 0) AS totp
FROM account
WHERE id > $1
ORDER BY id
LIMIT $2 OFFSET $3;
