-- Records that are not moved yet. No parameters. Columns: count.
SELECT count(*) FROM ts_journal
