-- The oldest journal rows of a node. $1 node, $2 limit. Columns: lsn, bytes.
SELECT lsn, coalesce(length(slices), 0) + coalesce(length(meta), 0) AS bytes FROM ts_journal WHERE node = $1 ORDER BY lsn LIMIT $2
