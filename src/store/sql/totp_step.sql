-- totp_step: a code was taken; it counts once.
-- $1 account, $2 its step
UPDATE account_totp SET last_step = $2 WHERE account_id = $1 AND last_step < $2;
