-- A row of table target, as another store has it. Parameters are its columns.
INSERT INTO target (id, collector_id, kind, name, attributes, first_seen_ms, updated_ms, group_name)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
