-- A row of table audit, as another store has it. Parameters are its columns.
INSERT INTO audit (number, at_ms, actor, action, object, detail, address, request, hash, mac)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
