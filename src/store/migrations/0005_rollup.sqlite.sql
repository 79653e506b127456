-- 0005_rollup: nothing here. Roll-ups of a SQLite store have files of their own (store/tsdb/README.md).
SELECT 1;
