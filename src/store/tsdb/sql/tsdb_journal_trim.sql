-- Delete rows whose contents are durable elsewhere. $1 last lsn.
DELETE FROM journal WHERE lsn <= $1
