-- Blocks of roll-ups, a row for each part. $1 tier; $2, $3 hours from and below; after $4 group, $5 hour, $6 id, $7 part;
-- $8 how many at most. Columns: grp, hour, id, part, data.
SELECT grp, hour, id, part, data
FROM ts_tier
WHERE tier = $1 AND hour >= $2 AND hour < $3 AND (grp, hour, id, part) > ($4, $5, $6, $7)
ORDER BY grp, hour, id, part LIMIT $8
