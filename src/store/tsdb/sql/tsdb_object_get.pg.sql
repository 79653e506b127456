-- Keys of an object. $1 id. Columns: keys, key_count (of its relation).
SELECT o.keys, (SELECT count(*) FROM ts_column c WHERE c.relation = g.relation AND c.is_key = 1) AS key_count
FROM ts_object o JOIN ts_group g ON g.id = o.grp WHERE o.id = $1
