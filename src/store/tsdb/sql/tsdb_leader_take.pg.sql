-- Take the lease that has ended. $1 node. Columns: term.
UPDATE ts_leader SET term = term + 1, holder = $1, until = clock_timestamp() + interval '8 s'
WHERE until < clock_timestamp() RETURNING term
