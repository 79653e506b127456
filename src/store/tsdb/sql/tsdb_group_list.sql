-- Every group in order of id. No parameters. Columns: id, target, relation, scope.
SELECT id, target, relation, scope FROM grp ORDER BY id
