-- Every relation. No parameters. Columns: id, name, help, fact, sparse, described.
SELECT id, name, help, fact, sparse, described FROM ts_relation ORDER BY id
