-- Remove a block; its parts go by tsdb_tier_part_delete. $1 id.
DELETE FROM block WHERE id = $1
