-- Delete the oldest events. $1 before, $2 how many.
DELETE FROM event WHERE id IN (SELECT id FROM event WHERE t < $1 ORDER BY t, id LIMIT $2)
