-- A new group. $1 id, $2 target, $3 relation, $4 scope, $5 the collector that sent it first.
INSERT INTO ts_group (id, target, relation, scope, collector) VALUES ($1, $2, $3, $4, $5)
