-- token_by_hash: a token that is neither revoked nor expired, with its account.
-- $1 hash, $2 now (ms)
SELECT t.id, t.name, t.scope, t.expires_ms, t.last_used_ms, t.last_address, t.created_ms,
    t.account_id, a.username, a.email, a.full_name, a.role, a.is_active, a.last_login_ms,
    a.group_names
FROM api_token t
JOIN account a ON a.id = t.account_id
WHERE t.token_hash = $1 AND t.revoked_ms IS NULL AND t.expires_ms > $2 AND a.is_active = 1;
