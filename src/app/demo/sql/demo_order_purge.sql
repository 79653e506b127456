-- Workload: throw away the oldest orders, so that vacuum has work.
DELETE FROM orders WHERE id IN (SELECT id FROM orders ORDER BY id LIMIT 2000)
