-- 0004_tsdb: nothing here. Time series of a SQLite store have files of their own (store/tsdb/README.md).
SELECT 1;
