-- Every key and column. No parameters. Columns: relation, is_key, id, name, kind, type, unit, help, resolution, described.
SELECT relation, is_key, id, name, kind, type, unit, help, resolution, described FROM ts_column
ORDER BY relation, is_key, id
