-- A row of table audit_head, as another store has it. Parameters are its columns.
INSERT INTO audit_head (hour, number, hash, at_ms, mac)
VALUES ($1, $2, $3, $4, $5)
