-- managed_target_group: a target follows its managed instance to a group.
-- $1 instance, $2 group
UPDATE target SET group_name = $2
WHERE id = (SELECT target_id FROM managed_instance WHERE id = $1);
