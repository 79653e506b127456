-- A row of table session_refresh, as another store has it. Parameters are its columns.
INSERT INTO session_refresh (refresh_hash, session_id, used_ms)
VALUES ($1, $2, $3)
