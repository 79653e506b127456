-- seal_authority_list: keys of authorities that are sealed with another generation
-- (store_seal_columns.c).
-- $1 generation in 4 bytes, $2 how many
SELECT name AS place, sealed_key AS sealed
FROM authority
WHERE substr(sealed_key, 2, 4) <> $1
ORDER BY name
LIMIT $2;
