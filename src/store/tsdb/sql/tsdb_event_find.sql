-- Events that hold words, newest first. $1 from (exclusive), $2 to (inclusive), $3 target or NULL, $4 kind or NULL, $5 least
-- severity, $6 cursor t, $7 cursor id (0 = none), $8 limit, $9 FTS5 query. Columns: id, t, collector, target, kind,
-- severity, title, body.
SELECT e.id, e.t, e.collector, e.target, e.kind, e.severity, e.title, e.body
FROM event_search f JOIN event e ON e.id = f.rowid
WHERE event_search MATCH $9 AND e.t > $1 AND e.t <= $2 AND ($3 IS NULL OR e.target = $3) AND ($4 IS NULL OR e.kind = $4)
    AND e.severity >= $5 AND ($7 = 0 OR (e.t, e.id) < ($6, $7))
ORDER BY e.t DESC, e.id DESC LIMIT $8
