-- Workload: a report that sorts on disk.
SELECT state, count(*), sum(amount), percentile_cont(0.95) WITHIN GROUP (ORDER BY amount) FROM orders GROUP BY state ORDER BY 3 DESC
