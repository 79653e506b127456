-- data_key_newest: the data key that seals.
SELECT generation, sealed FROM data_key ORDER BY generation DESC LIMIT 1;
