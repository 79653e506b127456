-- The first hour that is not rolled up. No parameters. Columns: hour, NULL when there is none.
SELECT min(hour) FROM dirty
