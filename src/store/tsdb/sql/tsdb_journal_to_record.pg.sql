-- Keep what moved rows said. $1 their lsn.
INSERT INTO ts_record (stream, seq, span, hash, reason, slice_count, sample_count, t_min, t_max)
SELECT stream, seq, span, hash, reason, slice_count, sample_count, t_min, t_max FROM ts_journal
WHERE lsn = ANY ($1::bigint[]) AND stream <> 0 ON CONFLICT (stream, seq) DO NOTHING
