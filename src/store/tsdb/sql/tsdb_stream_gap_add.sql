-- Count a gap. $1 stream, $2 reason, $3 records.
INSERT INTO stream_gap (stream, reason, records) VALUES ($1, $2, $3)
ON CONFLICT (stream, reason) DO UPDATE SET records = records + excluded.records
