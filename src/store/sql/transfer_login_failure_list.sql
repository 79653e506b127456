-- A page of table login_failure. After $1 name; $2 how many at most.
SELECT name, failures, last_ms FROM login_failure WHERE name > $1 ORDER BY name LIMIT $2
