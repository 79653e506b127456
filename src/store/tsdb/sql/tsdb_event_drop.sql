-- Delete the events of a target. $1 target.
DELETE FROM event WHERE target = $1
