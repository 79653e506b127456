-- Gaps of every stream. No parameters. Columns: stream, reason, records.
SELECT stream, reason, records FROM stream_gap ORDER BY stream, reason
