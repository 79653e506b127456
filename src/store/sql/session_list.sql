-- session_list: the living sessions of an account, the newest first.
-- $1 account, $2 used after (ms), $3 begun after (ms), $4 how many
SELECT s.id, s.account_id, s.created_ms, s.used_ms, s.ended_ms, s.address, s.agent, s.verified_ms,
    a.username, a.email, a.full_name, a.role, a.is_active, a.last_login_ms,
    a.group_names,
    (SELECT count(*) FROM account_totp t WHERE t.account_id = a.id AND t.enabled_ms > 0) AS totp
FROM session s
JOIN account a ON a.id = s.account_id
WHERE s.account_id = $1 AND s.ended_ms IS NULL AND s.used_ms > $2 AND s.created_ms > $3
ORDER BY s.created_ms DESC, s.id
LIMIT $4;
