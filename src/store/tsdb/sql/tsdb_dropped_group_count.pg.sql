-- Whether something of deleted targets is left. No parameters. Columns: count.
SELECT count(*) FROM ts_dropped_group
