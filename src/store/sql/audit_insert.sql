-- audit_insert: add an audit row.
-- $1 number, $2 at (ms), $3 actor, $4 action, $5 object, $6 detail, $7 address, $8 request, $9
-- hash, $10 mac
INSERT INTO audit (number, at_ms, actor, action, object, detail, address, request, hash, mac)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10);
