-- trust_used: an agent used its current certificate for the first time.
-- $1 collector, $2 fingerprint, $3 now (ms)
UPDATE collector_trust
SET used_ms = $3
WHERE collector_id = $1 AND fingerprint = $2 AND used_ms IS NULL;
