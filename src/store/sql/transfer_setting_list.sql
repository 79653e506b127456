-- A page of table setting. After $1 name; $2 how many at most.
SELECT name, value FROM setting WHERE name > $1 AND name NOT IN ('copy', 'copied') ORDER BY name LIMIT $2
