-- The first and the last bucket of a group around (from, to]. $1 tier, $2 group, $3 first hour, $4 last hour of windows,
-- $5 from, $6 to. Columns: first, last; NULL without any.
SELECT min(t_min) AS first, max(t_max) AS last FROM ts_tier
WHERE tier = $1 AND grp = $2 AND hour BETWEEN $3 AND $4 AND part = 0 AND t_max > $5 AND t_min <= $6
