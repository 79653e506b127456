-- Where a trim of some rows would end. $1 highest lsn that may go, $2 rows. Columns: last lsn, bytes, rows.
SELECT max(lsn), coalesce(sum(size), 0), count(*) FROM (
    SELECT lsn, coalesce(length(slices), 0) + coalesce(length(meta), 0) + 100 AS size
    FROM journal WHERE lsn <= $1 ORDER BY lsn LIMIT $2)
