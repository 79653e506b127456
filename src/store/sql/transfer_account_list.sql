-- A page of table account. After $1 id; $2 how many at most.
SELECT id, username, username_folded, email, full_name, role, password_hash, is_active,
    last_login_ms, created_ms, updated_ms, group_names
FROM account
WHERE id > $1
ORDER BY id LIMIT $2
