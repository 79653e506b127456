-- Delete moved rows. $1 their lsn.
DELETE FROM ts_journal WHERE lsn = ANY ($1::bigint[])
