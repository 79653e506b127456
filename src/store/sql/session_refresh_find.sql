-- session_refresh_find: the living session that used up a refresh token.
-- $1 hash
SELECT s.id, a.username
FROM session_refresh r
JOIN session s ON s.id = r.session_id
JOIN account a ON a.id = s.account_id
WHERE r.refresh_hash = $1 AND s.ended_ms IS NULL;
