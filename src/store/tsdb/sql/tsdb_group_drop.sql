-- Delete the groups of a target. $1 target.
DELETE FROM grp WHERE target = $1
