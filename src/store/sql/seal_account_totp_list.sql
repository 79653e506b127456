-- seal_account_totp_list: seeds that are sealed with another generation (store_seal_columns.c).
-- $1 generation in 4 bytes, $2 how many
SELECT CAST(account_id AS TEXT) AS place, seed AS sealed FROM account_totp
WHERE substr(seed, 2, 4) <> $1 ORDER BY account_id LIMIT $2;
