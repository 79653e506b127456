-- The first and the last bucket of a group in (from, to]. $1 group, $2 from, $3 to. Columns: first, last; NULL without any.
SELECT (SELECT t_min FROM block WHERE grp = $1 AND t_min > $2 - 86400000 AND t_min <= $3 AND t_max > $2 ORDER BY t_min LIMIT 1)
    AS first,
    (SELECT t_max FROM block WHERE grp = $1 AND t_min <= $3 ORDER BY t_min DESC LIMIT 1) AS last
