-- totp_enable: the seed is in an app.
-- $1 account, $2 now (ms)
UPDATE account_totp SET enabled_ms = $2 WHERE account_id = $1 AND enabled_ms IS NULL;
