-- Records of a stream from a number on, moved or not. $1 stream, $2 first seq. Columns: seq, span, hash.
SELECT seq, span, hash FROM ts_record WHERE stream = $1 AND seq >= $2
UNION ALL SELECT seq, span, hash FROM ts_journal WHERE stream = $1 AND seq >= $2 ORDER BY seq
