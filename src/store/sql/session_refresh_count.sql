-- session_refresh_count: how many refresh tokens a session used up.
-- $1 session
SELECT count(*) AS total FROM session_refresh WHERE session_id = $1;
