-- Blocks of a group that overlap (from, to]. $1 tier, $2 group, $3 first hour, $4 last hour of windows, $5 from, $6 to.
-- Columns: hour, id.
SELECT hour, id FROM ts_tier WHERE tier = $1 AND grp = $2 AND hour BETWEEN $3 AND $4 AND part = 0 AND t_max > $5 AND t_min <= $6
ORDER BY hour, id
