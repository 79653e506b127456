-- Objects of a deleted target. $1 target.
DELETE FROM ts_object o USING ts_group g WHERE o.grp = g.id AND g.target = $1
