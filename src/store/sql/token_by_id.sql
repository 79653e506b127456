-- token_by_id: a token that is not revoked, with its account.
-- $1 id, $2 account; 0 = any
SELECT t.id, t.name, t.scope, t.expires_ms, t.last_used_ms, t.last_address, t.created_ms,
    t.account_id, a.username, a.email, a.full_name, a.role, a.is_active, a.last_login_ms,
    a.group_names
FROM api_token t
JOIN account a ON a.id = t.account_id
WHERE t.id = $1 AND t.revoked_ms IS NULL AND (t.account_id = $2 OR $2 = 0);
