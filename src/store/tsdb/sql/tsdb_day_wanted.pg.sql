-- Days that shall have partitions and have none. $1 first, $2 last, $3 the oldest of journal rows that counts. Columns: day.
SELECT d.day FROM generate_series(least($1::bigint, greatest($3::bigint,
    (SELECT coalesce(min(t_min) / 86400000, $1::bigint) FROM ts_journal))), $2::bigint) AS d (day)
WHERE d.day >= (SELECT raw_day FROM ts_rollup) AND NOT EXISTS (SELECT 1 FROM ts_day x WHERE x.day = d.day) ORDER BY d.day
