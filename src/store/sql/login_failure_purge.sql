-- login_failure_purge: forget old failures.
-- $1 before (ms)
DELETE FROM login_failure WHERE last_ms < $1;
