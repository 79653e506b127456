-- data_key_use: count one field more under the newest data key.
UPDATE data_key SET sealed = sealed + 1
WHERE generation = (SELECT max(generation) FROM data_key)
RETURNING generation, sealed;
