-- Journal rows to move, locked. $1 node, $2 first lsn, $3 last lsn. Columns: lsn, collector, slices, meta.
SELECT j.lsn, s.collector, j.slices, j.meta FROM ts_journal j LEFT JOIN ts_stream s ON s.id = j.stream
WHERE j.node = $1 AND j.lsn >= $2 AND j.lsn <= $3 ORDER BY j.lsn FOR UPDATE OF j SKIP LOCKED
