-- Add a part of a block. $1 tier, $2 group, $3 hour, $4 id, $5 part, $6 t_min, $7 t_max, $8 data.
INSERT INTO ts_tier (tier, grp, hour, id, part, t_min, t_max, data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
