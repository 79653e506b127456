-- authority_newest: the authority of a kind that is in use.
-- $1 kind
SELECT name, kind, generation, certificate, cross_certificate, sealed_key, not_before_ms,
    not_after_ms, retire_ms, created_ms
FROM authority
WHERE kind = $1
ORDER BY generation DESC
LIMIT 1;
