-- Delete the objects of a target. $1 target.
DELETE FROM object WHERE grp IN (SELECT id FROM grp WHERE target = $1)
