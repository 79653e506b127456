-- Every group in order of id. No parameters. Columns: id, target, relation, scope, collector.
SELECT id, target, relation, scope, collector FROM grp ORDER BY id
