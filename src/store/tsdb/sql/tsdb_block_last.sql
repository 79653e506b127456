-- The newest reading of each group of a day file. No parameters. Columns: grp, t_max, every_ms, flags, reason.
SELECT grp, max(t_max), every_ms, flags, reason FROM block WHERE flush_lsn <= (SELECT applied FROM state) GROUP BY grp
