-- Remove every block of a group. $1 group.
DELETE FROM block WHERE grp = $1
