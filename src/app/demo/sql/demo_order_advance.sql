-- Workload: mark some orders of an account. $1 account.
UPDATE orders SET state = 'done' WHERE account = $1 AND state = 'sent'
