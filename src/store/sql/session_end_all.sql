-- session_end_all: end the sessions of an account.
-- $1 account, $2 now (ms)
UPDATE session SET ended_ms = $2 WHERE account_id = $1 AND ended_ms IS NULL;
