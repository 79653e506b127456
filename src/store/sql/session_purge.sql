-- session_purge: forget sessions that began or ended long ago.
-- $1 before (ms)
DELETE FROM session WHERE created_ms < $1 OR ended_ms < $1;
