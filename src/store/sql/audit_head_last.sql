-- audit_head_last: the newest signed head, and the hash of its row as it is now.
SELECT h.hour, h.number, h.hash, coalesce(a.hash, '') AS row_hash
FROM audit_head h
LEFT JOIN audit a ON a.number = h.number
ORDER BY h.number DESC LIMIT 1;
