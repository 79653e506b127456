-- login_failure_get: failures under a name.
-- $1 name
SELECT failures, last_ms FROM login_failure WHERE name = $1;
