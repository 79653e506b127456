-- recovery_insert: add a recovery code.
-- $1 MAC, $2 account
INSERT INTO recovery_code (code_hash, account_id) VALUES ($1, $2);
