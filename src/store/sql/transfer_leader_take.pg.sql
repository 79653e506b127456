-- Take the lease of the leader: no server runs. $1 node. Columns: term.
UPDATE ts_leader SET term = term + 1, holder = $1, until = clock_timestamp() + interval '5 min'
    RETURNING term
