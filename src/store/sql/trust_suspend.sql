-- trust_suspend: an agent is suspended.
-- $1 collector, $2 now (ms)
UPDATE collector_trust SET suspended_ms = $2 WHERE collector_id = $1 AND suspended_ms IS NULL;
