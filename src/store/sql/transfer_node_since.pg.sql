-- A server that started after another one. $1 id of that. Columns: name.
SELECT name FROM ts_node WHERE id > $1 ORDER BY id LIMIT 1
