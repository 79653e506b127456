-- Objects of a group in order of id. $1 group. Columns: id, keys.
SELECT id, keys FROM ts_object WHERE grp = $1 ORDER BY id
