-- Events, newest first. $1 from (exclusive), $2 to (inclusive), $3 target or NULL, $4 kind or NULL, $5 least severity,
-- $6 cursor t, $7 cursor id (0 = none), $8 limit. Columns: id, t, collector, target, kind, severity, title, body.
SELECT id, t_ms, collector, target, kind, severity, title, body FROM ts_event
WHERE t_ms > $1 AND t_ms <= $2 AND ($3::bytea IS NULL OR target = $3::bytea) AND ($4::text IS NULL OR kind = $4::text)
    AND severity >= $5 AND ($7::bigint = 0 OR (t_ms, id) < ($6::bigint, $7::bigint))
ORDER BY t_ms DESC, id DESC LIMIT $8
