-- Take over rows of nodes that gave no sign of life for 10 s. $1 node, $2 limit.
UPDATE ts_journal SET node = $1 WHERE lsn IN (
    SELECT j.lsn FROM ts_journal j WHERE j.node <> $1
        AND NOT EXISTS (SELECT 1 FROM ts_node n WHERE n.id = j.node AND n.seen > clock_timestamp() - interval '10 s')
    ORDER BY j.lsn LIMIT $2 FOR UPDATE SKIP LOCKED)
