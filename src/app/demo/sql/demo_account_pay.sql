-- Workload: book an amount on an account. $1 account, $2 amount.
UPDATE account SET balance = balance + $2 WHERE id = $1
