-- Keep the counter of streams. $1 next stream id.
UPDATE state SET next_stream = $1
