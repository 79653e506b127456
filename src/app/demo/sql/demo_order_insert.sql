-- Workload: a new order. $1 account, $2 amount.
INSERT INTO orders (account, amount, state) VALUES ($1, $2, 'new')
