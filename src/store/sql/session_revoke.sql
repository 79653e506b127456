-- session_revoke: end a session.
-- $1 id, $2 account; 0 = any, $3 now (ms)
UPDATE session SET ended_ms = $3
WHERE id = $1 AND (account_id = $2 OR $2 = 0) AND ended_ms IS NULL;
