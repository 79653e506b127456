-- A page of table authority. After $1 name; $2 how many at most.
SELECT name, kind, generation, certificate, cross_certificate, sealed_key, not_before_ms, not_after_ms,
    retire_ms, created_ms
FROM authority
WHERE name > $1
ORDER BY name LIMIT $2
