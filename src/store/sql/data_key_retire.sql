-- data_key_retire: forget the data keys before a generation.
-- $1 generation, $2 wrapped: empty, $3 now (ms)
UPDATE data_key SET wrapped = $2, retired_ms = $3 WHERE generation < $1 AND retired_ms IS NULL;
