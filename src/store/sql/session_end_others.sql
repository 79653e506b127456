-- session_end_others: end the other sessions of an account.
-- $1 account, $2 session that stays, $3 now (ms)
UPDATE session SET ended_ms = $3
WHERE account_id = $1 AND id <> $2 AND ended_ms IS NULL;
