-- Workload: one account by key. $1 account.
SELECT balance, owner FROM account WHERE id = $1
