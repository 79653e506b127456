-- Workload: the latest orders of an account. $1 account.
SELECT id, amount, state, made FROM orders WHERE account = $1 ORDER BY made DESC LIMIT 20
