-- An event, unless it went with its target. $1 t, $2 collector, $3 target, $4 kind, $5 severity, $6 title, $7 body.
INSERT INTO ts_event (t_ms, collector, target, kind, severity, title, body)
SELECT $1::bigint, $2::bytea, $3::bytea, $4::text, $5::smallint, $6::text, $7::text
WHERE NOT EXISTS (SELECT 1 FROM ts_dropped_target d WHERE d.target = $3::bytea AND d.t_ms >= $1::bigint)
