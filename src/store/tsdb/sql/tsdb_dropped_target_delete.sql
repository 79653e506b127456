-- Forget old deletions: readings that old are taken of no target. $1 t.
DELETE FROM dropped_target WHERE t < $1
