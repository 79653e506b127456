-- The parts of a block. $1 block. Columns: number, data.
SELECT id - $1 * 4096, data FROM part WHERE id >= $1 * 4096 AND id < ($1 + 1) * 4096 ORDER BY id
