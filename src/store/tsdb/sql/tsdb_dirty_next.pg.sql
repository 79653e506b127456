-- Marks of the oldest hours that may be rolled up. $1 limit. Columns: hour, grp, n.
SELECT hour, grp, n FROM ts_dirty WHERE hour < (SELECT open_hour FROM ts_rollup) ORDER BY hour, grp LIMIT $1
