-- Every hour of a group that is not rolled up. No parameters. Columns: hour, grp.
SELECT hour, grp FROM ts_dirty
