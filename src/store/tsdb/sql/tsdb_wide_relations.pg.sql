-- Relations that have wide tables. No parameters. Columns: relation.
SELECT DISTINCT relation FROM ts_wide ORDER BY relation
