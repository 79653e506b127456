-- managed_sealed: the sealed password of a managed instance, and the place that it is bound to.
-- $1 id
SELECT target_id, password FROM managed_instance WHERE id = $1;
