-- The audit list keeps the last records of a stream. $1 how many.
DELETE FROM ts_record r USING ts_stream s WHERE r.stream = s.id AND s.next_seq > $1 AND r.seq < s.next_seq - $1
