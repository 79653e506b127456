-- Whether some group has more than one block. No parameters. Columns: 1 or 0.
SELECT EXISTS (SELECT 1 FROM block WHERE flush_lsn <= (SELECT applied FROM state) GROUP BY grp HAVING count(*) > 1)
