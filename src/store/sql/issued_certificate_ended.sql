-- issued_certificate_ended: how many certificates ended before a moment, up to a turn of the purge.
-- $1 before (ms), $2 at most
SELECT count(*) AS ended
FROM (SELECT serial FROM issued_certificate WHERE not_after_ms < $1 LIMIT $2) a;
