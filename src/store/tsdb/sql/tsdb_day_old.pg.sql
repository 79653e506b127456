-- Days that retention takes. $1 the first to keep. Columns: day.
SELECT day FROM ts_day WHERE day < $1 ORDER BY day
