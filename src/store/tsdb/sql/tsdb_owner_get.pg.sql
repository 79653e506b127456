-- Who has a group. $1 group. Columns: collector.
SELECT collector FROM ts_owner WHERE grp = $1
