-- Whose readings a group holds. $1 group. Columns: target, relation, scope.
SELECT g.target, r.name, g.scope FROM ts_group g JOIN ts_relation r ON r.id = g.relation WHERE g.id = $1
