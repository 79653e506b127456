-- collector_offline: note that a collector is silent, or no longer.
-- $1 id, $2 since (ms), or NULL
UPDATE collector SET offline_ms = $2 WHERE id = $1;
