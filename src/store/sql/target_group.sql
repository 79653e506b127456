-- target_group: move a target to a group.
-- $1 id, $2 group
UPDATE target SET group_name = $2 WHERE id = $1;
