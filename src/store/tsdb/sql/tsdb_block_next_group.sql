-- The group after this one that has a block. $1 group. Columns: grp, NULL at the end.
SELECT min(grp) FROM block WHERE grp > $1
