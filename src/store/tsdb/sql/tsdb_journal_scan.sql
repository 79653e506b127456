-- The whole journal in order. No parameters. Columns: lsn, slices, meta is there (0, 1), stream, seq, span, hash.
SELECT lsn, slices, meta IS NOT NULL, stream, seq, span, hash FROM journal ORDER BY lsn
