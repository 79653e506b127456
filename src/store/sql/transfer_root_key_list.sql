-- A page of table root_key. After $1 name; $2 how many at most.
SELECT name, sealed
FROM root_key
WHERE name > $1
ORDER BY name LIMIT $2
