-- A new event. $1 t, $2 collector, $3 target, $4 kind, $5 severity, $6 title, $7 body. Columns: id.
INSERT INTO event (t, collector, target, kind, severity, title, body) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id
