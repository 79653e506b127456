-- Groups of a target and relation. $1 target, $2 relation, $3 scope or NULL. Columns: id, scope.
SELECT id, scope FROM ts_group WHERE target = $1 AND relation = $2 AND ($3::text IS NULL OR scope = $3::text) ORDER BY id
