-- Keys and columns of a relation. $1 relation. Columns: is_key, id, name, kind, type, unit, help, resolution.
SELECT is_key, id, name, kind, type, unit, help, resolution FROM ts_column WHERE relation = $1 ORDER BY is_key, id
