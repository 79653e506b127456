-- managed_password: set the sealed password of a managed instance; NULL removes it.
-- $1 id, $2 sealed
UPDATE managed_instance SET password = $2 WHERE id = $1;
