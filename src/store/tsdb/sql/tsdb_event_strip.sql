-- Take the bodies of the oldest events that have one. $1 before, $2 how many.
UPDATE event SET body = '{}' WHERE id IN (SELECT id FROM event WHERE body <> '{}' AND t < $1 ORDER BY t, id LIMIT $2)
