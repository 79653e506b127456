-- Events of a deleted target. $1 target.
DELETE FROM ts_event WHERE target = $1
