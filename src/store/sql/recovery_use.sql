-- recovery_use: use up a recovery code.
-- $1 MAC, $2 account, $3 now (ms)
UPDATE recovery_code SET used_ms = $3 WHERE code_hash = $1 AND account_id = $2 AND used_ms IS NULL;
