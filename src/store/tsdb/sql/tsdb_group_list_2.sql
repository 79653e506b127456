-- Every group of a store of schema 2, which is checked before it is opened. No parameters. Columns: id, target, relation, scope, collector.
SELECT id, target, relation, scope, NULL AS collector FROM grp ORDER BY id
