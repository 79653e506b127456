-- audit_walk: audit rows in order, from a number on.
-- $1 after this number, $2 how many
SELECT number, at_ms, actor, action, object, detail, address, request, hash, mac
FROM audit
WHERE number > $1
ORDER BY number LIMIT $2;
