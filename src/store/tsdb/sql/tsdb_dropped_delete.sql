-- Forget deletions of which nothing is left. $1 highest lsn.
DELETE FROM dropped WHERE lsn <= $1
