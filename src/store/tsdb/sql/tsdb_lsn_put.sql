-- Remember the next lsn when rows that prove it are deleted. $1 next lsn.
UPDATE state SET next_lsn = max(next_lsn, $1)
