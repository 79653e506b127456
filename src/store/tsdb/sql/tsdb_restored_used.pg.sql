-- Servers that use the store just now. No parameters. Columns: name.
SELECT name FROM ts_node WHERE seen > clock_timestamp() - interval '10 s' ORDER BY id LIMIT 1
