-- session_end: end a session.
-- $1 id, $2 now (ms)
UPDATE session SET ended_ms = $2 WHERE id = $1 AND ended_ms IS NULL;
