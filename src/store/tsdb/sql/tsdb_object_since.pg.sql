-- Objects from an id on, in order. $1 first id. Columns: id, grp, keys.
SELECT id, grp, keys FROM ts_object WHERE id >= $1 ORDER BY id
