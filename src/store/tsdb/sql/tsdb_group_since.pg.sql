-- Groups from an id on, in order. $1 first id. Columns: id, target, relation, scope, collector.
SELECT id, target, relation, scope, collector FROM ts_group WHERE id >= $1 ORDER BY id
