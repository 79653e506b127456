-- Remove the parts of a block. $1 id.
DELETE FROM part WHERE id >= $1 * 4096 AND id < ($1 + 1) * 4096
