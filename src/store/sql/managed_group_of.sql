-- managed_group_of: the group of a managed instance.
-- $1 id
SELECT group_name FROM managed_instance WHERE id = $1;
