-- An hour is rolled up, unless it was marked again meanwhile. $1 hour, $2 group, $3 n.
DELETE FROM ts_dirty WHERE hour = $1 AND grp = $2 AND n = $3
