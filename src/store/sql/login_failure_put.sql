-- login_failure_put: set the failures under a name.
-- $1 name, $2 failures, $3 now (ms)
INSERT INTO login_failure (name, failures, last_ms) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET failures = excluded.failures, last_ms = excluded.last_ms;
