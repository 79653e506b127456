-- authority_retire: authorities of a kind before a generation are trusted no longer than until then.
-- $1 kind, $2 generation, $3 when (ms)
UPDATE authority
SET retire_ms = $3
WHERE kind = $1 AND generation < $2 AND (retire_ms IS NULL OR retire_ms > $3);
