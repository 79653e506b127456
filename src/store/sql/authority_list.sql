-- authority_list: authorities that are trusted, the newest of a kind first, issuing ones first.
-- $1 now (ms)
SELECT name, kind, generation, certificate, cross_certificate, sealed_key, not_before_ms,
    not_after_ms, retire_ms, created_ms
FROM authority
WHERE not_after_ms > $1 AND (retire_ms IS NULL OR retire_ms > $1)
ORDER BY kind, generation DESC;
