-- totp_delete: no second factor any more.
-- $1 account
DELETE FROM account_totp WHERE account_id = $1;
