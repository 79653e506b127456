-- Whether an hour that may be rolled up is marked. No parameters. Columns: found.
SELECT count(*) AS found FROM (SELECT 1 FROM ts_dirty WHERE hour < (SELECT open_hour FROM ts_rollup) LIMIT 1) d
