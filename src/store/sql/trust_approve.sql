-- trust_approve: an agent neither waits nor is suspended any more; a certificate before the current
-- one is void.
-- $1 collector
UPDATE collector_trust
SET pending_ms = NULL, suspended_ms = NULL, previous = NULL, previous_not_after_ms = NULL
WHERE collector_id = $1 AND (pending_ms IS NOT NULL OR suspended_ms IS NOT NULL);
