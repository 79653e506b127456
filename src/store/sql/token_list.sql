-- token_list: the tokens of an account after an id, those that expired as well.
-- $1 account, $2 id, $3 how many, $4 rows to skip
SELECT t.id, t.name, t.scope, t.expires_ms, t.last_used_ms, t.last_address, t.created_ms,
    t.account_id, a.username, a.email, a.full_name, a.role, a.is_active, a.last_login_ms,
    a.group_names
FROM api_token t
JOIN account a ON a.id = t.account_id
WHERE t.account_id = $1 AND t.revoked_ms IS NULL AND t.id > $2
ORDER BY t.id
LIMIT $3 OFFSET $4;
