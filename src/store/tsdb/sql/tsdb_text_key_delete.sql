-- Delete a name. $1 target, $2 kind, $3 key.
DELETE FROM text_key WHERE target = $1 AND kind = $2 AND key = $3
