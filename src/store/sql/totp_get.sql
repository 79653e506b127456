-- totp_get: the second factor of an account.
-- $1 account
SELECT seed, last_step, enabled_ms FROM account_totp WHERE account_id = $1;
