-- seal_authority_put: keep the key of an authority sealed anew.
-- $1 place, $2 sealed
UPDATE authority SET sealed_key = $2 WHERE name = $1;
