-- Blocks of a group that overlap (from, to]. $1 group, $2 from, $3 to, $4 applied. Columns: id, flush_lsn, t_min, t_max.
SELECT id, flush_lsn, t_min, t_max FROM block WHERE grp = $1 AND t_min <= $3 AND t_max > $2 AND flush_lsn <= $4
ORDER BY t_min, id
