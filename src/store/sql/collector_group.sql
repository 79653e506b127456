-- collector_group: move a collector to a group.
-- $1 id, $2 group
UPDATE collector SET group_name = $2 WHERE id = $1;
