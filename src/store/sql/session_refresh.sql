-- session_refresh: exchange the refresh token of a living session.
-- $1 id, $2 hash of the new one, $3 now (ms), $4 hash of the old one
UPDATE session SET refresh_hash = $2, used_ms = $3
WHERE id = $1 AND refresh_hash = $4 AND ended_ms IS NULL;
