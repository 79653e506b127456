-- Every object in order of id. No parameters. Columns: id, grp, keys.
SELECT id, grp, keys FROM object ORDER BY id
