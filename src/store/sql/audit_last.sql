-- audit_last: the newest audit row.
SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1;
