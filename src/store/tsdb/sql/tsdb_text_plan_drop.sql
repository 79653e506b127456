-- Delete the names of the oldest plans. $1 before this day, $2 how many.
DELETE FROM text_key WHERE (target, kind, key) IN
    (SELECT target, kind, key FROM text_key WHERE kind = 'plan' AND day < $1 ORDER BY day LIMIT $2)
