-- Keep that the groups of a target are deleted. $1 target, $2 lsn of the deletion.
INSERT INTO dropped (grp, lsn) SELECT id, $2 FROM grp WHERE target = $1
