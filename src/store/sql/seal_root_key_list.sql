-- seal_root_key_list: root keys that are sealed with another generation (store_seal_columns.c).
-- $1 generation in 4 bytes, $2 how many
SELECT name AS place, sealed FROM root_key WHERE substr(sealed, 2, 4) <> $1 ORDER BY name LIMIT $2;
