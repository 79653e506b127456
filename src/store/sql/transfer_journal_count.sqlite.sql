-- Records that are not everywhere yet. No parameters. Columns: count.
SELECT count(*) FROM journal
