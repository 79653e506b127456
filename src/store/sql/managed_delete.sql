-- managed_delete: forget a managed instance.
-- $1 id
DELETE FROM managed_instance WHERE id = $1;
