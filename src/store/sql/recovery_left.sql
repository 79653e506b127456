-- recovery_left: how many recovery codes an account has left.
-- $1 account
SELECT count(*) AS total FROM recovery_code WHERE account_id = $1 AND used_ms IS NULL;
