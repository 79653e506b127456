-- A row of table collector_slot, as another store has it. Parameters are its columns.
INSERT INTO collector_slot (collector_id, slot, samples) VALUES ($1, $2, $3)
