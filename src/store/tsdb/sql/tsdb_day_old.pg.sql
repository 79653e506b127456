-- Days that retention takes: all of their hours are rolled up. $1 the first to keep. Columns: day.
SELECT x.day FROM ts_day x WHERE x.day < $1
AND NOT EXISTS (SELECT 1 FROM ts_dirty d WHERE d.hour BETWEEN x.day * 24 - 1 AND x.day * 24 + 23) ORDER BY x.day
