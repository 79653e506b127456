-- An hour of a group is rolled up. $1 hour, $2 group.
DELETE FROM dirty WHERE hour = $1 AND grp = $2
