-- Groups and the newest reading of each. $1 target or NULL, $2 relation name or NULL.
-- Columns: id, target, relation, scope, t_ms, every_ms, flags, reason, objects, collector.
SELECT g.id, g.target, r.name, g.scope, s.t_ms, s.every_ms, s.flags, s.reason,
    (SELECT count(*) FROM ts_object o WHERE o.grp = g.id) AS objects, g.collector
FROM ts_group g JOIN ts_relation r ON r.id = g.relation
LEFT JOIN LATERAL (SELECT t_ms, every_ms, flags, reason FROM ts_slice WHERE grp = g.id ORDER BY t_ms DESC LIMIT 1) s ON true
WHERE ($1::bytea IS NULL OR g.target = $1::bytea) AND ($2::text IS NULL OR r.name = $2::text)
ORDER BY g.target, r.name, g.scope
