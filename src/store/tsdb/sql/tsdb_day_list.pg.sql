-- Days that have partitions. No parameters. Columns: day.
SELECT day FROM ts_day ORDER BY day
