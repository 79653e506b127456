-- Delete the names of texts of a target. $1 target.
DELETE FROM text_key WHERE target = $1
