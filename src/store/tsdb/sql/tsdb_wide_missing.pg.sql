-- Columns that came after their wide table was made. No parameters. Columns: relation, name, fact, is_key, id, type.
SELECT c.relation, r.name, r.fact, c.is_key, c.id, c.type FROM ts_column c JOIN ts_relation r ON r.id = c.relation
WHERE EXISTS (SELECT 1 FROM ts_wide w WHERE w.relation = c.relation) AND c.id < 250 AND (c.is_key = 0 OR r.fact = 1)
    AND NOT EXISTS (SELECT 1 FROM ts_wide w WHERE w.relation = c.relation AND w.is_key = c.is_key AND w.id = c.id)
ORDER BY c.relation, c.is_key, c.id
