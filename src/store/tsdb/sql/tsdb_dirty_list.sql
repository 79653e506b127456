-- Groups of an hour that are not rolled up. $1 hour, $2 limit. Columns: grp.
SELECT grp FROM dirty WHERE hour = $1 ORDER BY grp LIMIT $2
