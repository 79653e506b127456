-- Add or change a key or column. $1 relation, $2 is_key, $3 id, $4 name, $5 kind, $6 type, $7 unit, $8 help, $9 resolution,
-- $10 described.
INSERT INTO ts_column (relation, is_key, id, name, kind, type, unit, help, resolution, described)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (relation, is_key, id) DO UPDATE SET kind = excluded.kind, type = excluded.type, unit = excluded.unit,
    help = excluded.help, resolution = excluded.resolution, described = excluded.described
