-- A row of table event, as another store has it. Parameters are its columns.
INSERT INTO event (id, t, collector, target, kind, severity, title, body)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
