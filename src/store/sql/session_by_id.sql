-- session_by_id: a session with its account.
-- $1 session id
SELECT s.id, s.account_id, s.created_ms, s.used_ms, s.ended_ms, s.address, s.agent, s.verified_ms,
    a.username, a.email, a.full_name, a.role, a.is_active, a.last_login_ms,
    a.group_names,
    (SELECT count(*) FROM account_totp t WHERE t.account_id = a.id AND t.enabled_ms > 0) AS totp
FROM session s
JOIN account a ON a.id = s.account_id
WHERE s.id = $1;
