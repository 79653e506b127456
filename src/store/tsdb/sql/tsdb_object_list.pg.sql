-- Every object in order of id. No parameters. Columns: id, grp, keys.
SELECT id, grp, keys FROM ts_object ORDER BY id
