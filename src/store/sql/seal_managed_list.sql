-- seal_managed_list: passwords that are sealed with another generation (store_seal_columns.c).
-- $1 generation in 4 bytes, $2 how many
SELECT target_id AS place, password AS sealed
FROM managed_instance
WHERE password IS NOT NULL AND substr(password, 2, 4) <> $1
ORDER BY target_id LIMIT $2;
