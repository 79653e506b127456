-- How a day file is. $1 rows and $2 slices of a block that is no longer small.
-- Columns: applied, compacted, small blocks, groups that have some.
SELECT applied, compacted,
    (SELECT count(*) FROM block WHERE flush_lsn <= applied AND row_count < $1 AND slice_count < $2),
    (SELECT count(DISTINCT grp) FROM block WHERE flush_lsn <= applied AND row_count < $1 AND slice_count < $2)
FROM state
