-- managed_group: a managed instance follows its target to a group.
-- $1 target, $2 group
UPDATE managed_instance SET group_name = $2, version = version + 1
WHERE target_id = $1 AND group_name <> $2;
