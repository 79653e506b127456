-- Every key and column. No parameters. Columns: relation, is_key, id, name, kind, type, unit, help, resolution, described.
SELECT relation, is_key, id, name, kind, type, unit, help, resolution, described FROM relation_column
ORDER BY relation, is_key, id
