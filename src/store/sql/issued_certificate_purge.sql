-- issued_certificate_purge: forget those that ended first.
-- $1 before (ms), $2 at most
DELETE FROM issued_certificate
WHERE serial IN (
    SELECT serial FROM issued_certificate WHERE not_after_ms < $1 ORDER BY not_after_ms LIMIT $2
);
