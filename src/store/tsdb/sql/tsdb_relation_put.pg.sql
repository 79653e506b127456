-- Add or change a relation. $1 id, $2 name, $3 help, $4 fact, $5 sparse, $6 described.
INSERT INTO ts_relation (id, name, help, fact, sparse, described) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET help = excluded.help, sparse = excluded.sparse, described = excluded.described
