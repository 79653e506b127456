-- data_key_wrap: keep a data key under another master key.
-- $1 generation, $2 wrapped
UPDATE data_key SET wrapped = $2 WHERE generation = $1;
