-- Groups of deleted targets. No parameters. Columns: grp, lsn.
SELECT grp, lsn FROM dropped ORDER BY grp
