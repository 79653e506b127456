-- seal_account_totp_put: keep a seed sealed anew.
-- $1 place, $2 sealed
UPDATE account_totp SET seed = $2 WHERE CAST(account_id AS TEXT) = $1;
