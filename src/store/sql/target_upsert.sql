-- target_upsert: add or change a target. One that is new gets the group of its managed instance or
-- of its collector, and keeps it.
-- $1 id, $2 collector, $3 kind, $4 name, $5 attributes, $6 now (ms)
INSERT INTO target (id, collector_id, kind, name, attributes, first_seen_ms, updated_ms,
    group_name)
VALUES ($1, $2, $3, $4, $5, $6, $6,
    coalesce((SELECT m.group_name FROM managed_instance m WHERE m.target_id = $1),
        (SELECT c.group_name FROM collector c WHERE c.id = $2), 'default'))
ON CONFLICT (id) DO UPDATE SET collector_id = excluded.collector_id, kind = excluded.kind,
    name = excluded.name, attributes = excluded.attributes, updated_ms = excluded.updated_ms;
