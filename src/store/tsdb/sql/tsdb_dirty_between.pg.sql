-- Whether hours are marked, or will be when the journal is moved. $1 first, $2 last. Columns: found.
SELECT count(*) AS found FROM (SELECT 1 FROM ts_dirty WHERE hour BETWEEN $1 AND $2
    UNION ALL SELECT 1 FROM ts_journal WHERE t_min <= ($2 + 1) * 3600000 AND t_max > $1 * 3600000 LIMIT 1) d
