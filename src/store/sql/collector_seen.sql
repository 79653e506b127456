-- collector_seen: add what a collector delivered since the last time.
-- $1 id, $2 last seen (ms), $3 samples
UPDATE collector SET last_seen_ms = $2, samples_total = samples_total + $3 WHERE id = $1;
