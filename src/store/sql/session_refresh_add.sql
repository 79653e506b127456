-- session_refresh_add: remember a refresh token that was used up.
-- $1 hash, $2 session, $3 now (ms)
INSERT INTO session_refresh (refresh_hash, session_id, used_ms) VALUES ($1, $2, $3);
