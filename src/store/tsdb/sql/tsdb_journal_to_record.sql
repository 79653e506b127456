-- Keep what the rows to be trimmed said. $1 last lsn. A stream of 0 is the server itself and needs no audit.
INSERT OR IGNORE INTO record (stream, seq, span, hash, reason, slice_count, sample_count, t_min, t_max)
SELECT stream, seq, span, hash, reason, slice_count, sample_count, t_min, t_max FROM journal WHERE lsn <= $1 AND stream <> 0
