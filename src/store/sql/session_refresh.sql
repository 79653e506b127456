-- session_refresh: give a session a new refresh token.
-- $1 id, $2 hash of the refresh token, $3 now (ms)
UPDATE session SET refresh_hash = $2, used_ms = $3 WHERE id = $1;
