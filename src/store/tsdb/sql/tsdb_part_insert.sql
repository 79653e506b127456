-- A part of a block. $1 id (block * 4096 + number), $2 data.
INSERT INTO part (id, data) VALUES ($1, $2)
