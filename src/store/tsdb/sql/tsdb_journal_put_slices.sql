-- Give a journal row other slices. $1 lsn, $2 slices.
UPDATE journal SET slices = $2 WHERE lsn = $1
