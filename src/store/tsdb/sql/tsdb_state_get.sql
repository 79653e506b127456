-- The store's identity and counters. No parameters. Columns: epoch, next_lsn, next_stream, journal_lsn (0 = empty).
SELECT epoch, next_lsn, next_stream, (SELECT coalesce(max(lsn), 0) FROM journal) AS journal_lsn FROM state
