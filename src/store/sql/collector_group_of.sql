-- collector_group_of: the group of a collector.
-- $1 id
SELECT group_name FROM collector WHERE id = $1;
