-- session_verified: the person proved again who it is.
-- $1 id, $2 now (ms)
UPDATE session SET verified_ms = $2, used_ms = $2 WHERE id = $1 AND ended_ms IS NULL;
