-- The slices of a journal row. $1 lsn. Columns: slices.
SELECT slices FROM journal WHERE lsn = $1
