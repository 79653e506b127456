-- The server that showed a sign of life last, within 10 s. No parameters. Columns: id, name, seen
-- (us).
SELECT id, name, (extract(epoch
FROM seen) * 1000000)::bigint AS seen
FROM ts_node
WHERE seen > clock_timestamp() - interval '10 s'
ORDER BY ts_node.seen DESC LIMIT 1
