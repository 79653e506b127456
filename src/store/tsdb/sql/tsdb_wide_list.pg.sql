-- Columns of the wide tables. No parameters. Columns: relation, is_key, id, type.
SELECT relation, is_key, id, type FROM ts_wide ORDER BY relation, is_key, id
