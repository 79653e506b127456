-- A restored store is another one: agents offer again what they hold. $1 epoch (16 bytes), $2 least next lsn.
UPDATE state SET epoch = $1, next_lsn = max(next_lsn, $2, (SELECT coalesce(max(lsn), 0) + 1 FROM journal))
