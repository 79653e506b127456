-- data_key_get: a data key.
-- $1 generation
SELECT wrapped FROM data_key WHERE generation = $1 AND retired_ms IS NULL;
