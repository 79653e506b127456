-- A column that came later. {table}, {column}: its definition.
ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column}
