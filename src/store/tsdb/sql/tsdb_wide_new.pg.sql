-- Relations that shall have a wide table and have none: those that somebody described. Columns: id, name, fact.
SELECT r.id, r.name, r.fact FROM ts_relation r
WHERE (r.fact = 1 OR (r.described = 1 AND r.help <> '')) AND NOT EXISTS (SELECT 1 FROM ts_wide w WHERE w.relation = r.id)
    AND EXISTS (SELECT 1 FROM ts_column c WHERE c.relation = r.id)
ORDER BY r.id LIMIT 500
