-- A new group. $1 id, $2 target, $3 relation, $4 scope.
INSERT INTO grp (id, target, relation, scope) VALUES ($1, $2, $3, $4)
