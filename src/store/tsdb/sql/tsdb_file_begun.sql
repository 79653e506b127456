-- Whether a file has any schema yet: without one a kill ended its making. No parameters. Columns: yes.
SELECT EXISTS (SELECT 1 FROM sqlite_master)
