-- Take the oldest events with a body, which they still have, out of the index. $1 before, $2 how many.
INSERT INTO event_search (event_search, rowid, title, kind, body)
SELECT 'delete', id, title, kind, body FROM event
WHERE id IN (SELECT id FROM event WHERE body <> '{}' AND t < $1 ORDER BY t, id LIMIT $2)
