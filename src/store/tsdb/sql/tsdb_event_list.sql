-- Events, newest first. $1 from (exclusive), $2 to (inclusive), $3 target or NULL, $4 kind or NULL, $5 least severity,
-- $6 cursor t, $7 cursor id (0 = none), $8 limit. Columns: id, t, collector, target, kind, severity, title, body.
SELECT id, t, collector, target, kind, severity, title, body FROM event
WHERE t > $1 AND t <= $2 AND ($3 IS NULL OR target = $3) AND ($4 IS NULL OR kind = $4) AND severity >= $5
    AND ($7 = 0 OR (t, id) < ($6, $7))
ORDER BY t DESC, id DESC LIMIT $8
