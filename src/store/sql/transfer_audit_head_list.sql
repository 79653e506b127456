-- A page of table audit_head. After $1 hour; $2 how many at most.
SELECT hour, number, hash, at_ms, mac
FROM audit_head
WHERE hour > $1
ORDER BY hour LIMIT $2
