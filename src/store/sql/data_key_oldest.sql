-- data_key_oldest: the oldest data key that is not retired.
SELECT generation FROM data_key WHERE retired_ms IS NULL ORDER BY generation LIMIT 1;
