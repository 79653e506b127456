-- A page of table account_totp. After $1 account; $2 how many at most.
SELECT account_id, seed, last_step, enabled_ms, created_ms
FROM account_totp
WHERE account_id > $1
ORDER BY account_id LIMIT $2
