-- audit_walk: all audit rows in order.
SELECT number, at_ms, actor, action, object, detail, address, request, hash
FROM audit
ORDER BY number;
