-- authority_insert: add an authority.
-- $1 name, $2 kind, $3 generation, $4 certificate, $5 cross certificate, $6 sealed key, $7 not
-- before (ms), $8 not after (ms), $9 now (ms)
INSERT INTO authority (name, kind, generation, certificate, cross_certificate, sealed_key,
    not_before_ms, not_after_ms, created_ms)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);
