-- A page of table audit. After $1 number; $2 how many at most.
SELECT number, at_ms, actor, action, object, detail, address, request, hash, mac
FROM audit
WHERE number > $1
ORDER BY number LIMIT $2
