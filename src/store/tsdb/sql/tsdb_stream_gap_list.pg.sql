-- Gaps of every stream. No parameters. Columns: stream, reason, records.
SELECT stream, reason, records FROM ts_stream_gap ORDER BY stream, reason
