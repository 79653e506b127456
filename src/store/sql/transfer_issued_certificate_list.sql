-- A page of table issued_certificate. After $1 serial; $2 how many at most.
SELECT serial, kind, subject, authority, fingerprint, not_before_ms, not_after_ms, issued_ms
FROM issued_certificate
WHERE serial > $1
ORDER BY serial LIMIT $2
