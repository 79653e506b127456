-- seal_managed_put: keep a password sealed anew.
-- $1 place, $2 sealed
UPDATE managed_instance SET password = $2 WHERE target_id = $1;
