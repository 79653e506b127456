-- Which of these groups exist. $1 groups. Columns: id, relation.
SELECT id, relation FROM ts_group WHERE id = ANY ($1::bigint[])
