-- Renew the lease. $1 node, $2 term. Columns: term; no row: another node has it.
UPDATE ts_leader SET until = clock_timestamp() + interval '8 s'
WHERE holder = $1 AND term = $2 AND until >= clock_timestamp() RETURNING term
