-- A relation by name. $1 name. Columns: id, name, help, fact, sparse.
SELECT id, name, help, fact, sparse FROM ts_relation WHERE name = $1
