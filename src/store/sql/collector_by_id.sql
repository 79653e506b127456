-- collector_by_id: a collector with its count of the last day.
-- $1 id, $2 first hour
SELECT c.id, c.name, c.hostname, c.address, c.version, c.samples_total, c.last_seen_ms, c.created_ms,
    c.revoked_ms,
    (SELECT coalesce(sum(h.samples), 0) FROM collector_hour h
        WHERE h.collector_id = c.id AND h.hour >= $2) AS samples_day
FROM collector c
WHERE c.id = $1;
