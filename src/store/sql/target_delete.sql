-- target_delete: forget a target.
-- $1 id
DELETE FROM target WHERE id = $1;
