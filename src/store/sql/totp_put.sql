-- totp_put: a new seed, that is not in use yet; one that is in use stays.
-- $1 account, $2 sealed seed, $3 now (ms)
INSERT INTO account_totp (account_id, seed, last_step, created_ms)
VALUES ($1, $2, 0, $3)
ON CONFLICT (account_id) DO UPDATE SET seed = excluded.seed, created_ms = excluded.created_ms
WHERE account_totp.enabled_ms IS NULL;
