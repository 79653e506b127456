-- Remove a block. $1 id.
DELETE FROM block WHERE id = $1
