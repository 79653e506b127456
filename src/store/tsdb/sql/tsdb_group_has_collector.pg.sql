-- Whether groups say who sent them first: here always. No parameters. Columns: found.
SELECT 1 AS found
