-- A part of a block. $1 tier, $2 group, $3 hour, $4 id, $5 part; 0 = the head. Columns: data.
SELECT data FROM ts_tier WHERE tier = $1 AND grp = $2 AND hour = $3 AND id = $4 AND part = $5
