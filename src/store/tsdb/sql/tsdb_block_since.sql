-- Blocks of later flushes. $1 watermark, $2 watermark up to which they count. Columns: id, grp.
SELECT id, grp FROM block WHERE flush_lsn > $1 AND flush_lsn <= $2 ORDER BY id
