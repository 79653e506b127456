-- Trimmed records of a stream from a number on. $1 stream, $2 first seq. Columns: seq, span, hash.
SELECT seq, span, hash FROM record WHERE stream = $1 AND seq >= $2 ORDER BY seq
