-- session_used: note the use of a session.
-- $1 id, $2 now (ms)
UPDATE session SET used_ms = $2 WHERE id = $1;
