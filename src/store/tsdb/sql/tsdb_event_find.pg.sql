-- Events that hold words, newest first. As the list, and $9 words. Columns: id, t, collector, target, kind, severity, title, body.
SELECT id, t_ms, collector, target, kind, severity, title, body FROM ts_event
WHERE t_ms > $1 AND t_ms <= $2 AND ($3::bytea IS NULL OR target = $3::bytea) AND ($4::text IS NULL OR kind = $4::text)
    AND severity >= $5 AND ($7::bigint = 0 OR (t_ms, id) < ($6::bigint, $7::bigint))
    AND to_tsvector('pg_catalog.simple', title || ' ' || kind || ' ' || body) @@ plainto_tsquery('pg_catalog.simple', $9)
ORDER BY t_ms DESC, id DESC LIMIT $8
