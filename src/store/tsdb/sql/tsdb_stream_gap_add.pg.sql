-- Count a gap. $1 stream, $2 reason, $3 records.
INSERT INTO ts_stream_gap (stream, reason, records) VALUES ($1, $2, $3)
ON CONFLICT (stream, reason) DO UPDATE SET records = ts_stream_gap.records + excluded.records
