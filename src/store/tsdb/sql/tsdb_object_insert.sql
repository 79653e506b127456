-- A new object. $1 id, $2 group, $3 keys.
INSERT INTO object (id, grp, keys) VALUES ($1, $2, $3)
