-- target_group_of: the group of a target.
-- $1 id
SELECT group_name FROM target WHERE id = $1;
