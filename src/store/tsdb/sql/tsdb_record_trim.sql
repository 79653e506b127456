-- Keep only the last records of a stream. $1 stream, $2 first seq to keep.
DELETE FROM record WHERE stream = $1 AND seq < $2
