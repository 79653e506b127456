-- Put the same events into it without their bodies. $1 before, $2 how many.
INSERT INTO event_search (rowid, title, kind, body)
SELECT id, title, kind, '{}' FROM event
WHERE id IN (SELECT id FROM event WHERE body <> '{}' AND t < $1 ORDER BY t, id LIMIT $2)
