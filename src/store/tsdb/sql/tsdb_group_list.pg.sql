-- Every group in order of id. No parameters. Columns: id, target, relation, scope, collector.
SELECT id, target, relation, scope, collector FROM ts_group ORDER BY id
