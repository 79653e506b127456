-- Whether this file knows deleted targets (schema 2). No parameters. Columns: found (0, 1).
SELECT count(*) AS found FROM sqlite_master WHERE type = 'table' AND name = 'dropped'
