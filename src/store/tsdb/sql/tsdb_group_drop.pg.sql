-- Groups of a deleted target. $1 target.
DELETE FROM ts_group WHERE target = $1
