-- Rows with events, texts or targets after an lsn, in order. $1 lsn, $2 last lsn. Columns: lsn, meta, collector (NULL: the
-- server itself).
SELECT j.lsn, j.meta, s.collector FROM journal j LEFT JOIN stream s ON s.id = j.stream
WHERE j.lsn > $1 AND j.lsn <= $2 AND j.meta IS NOT NULL ORDER BY j.lsn
