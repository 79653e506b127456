-- A name is not older than this day. $1 target, $2 kind, $3 key, $4 day.
UPDATE text_key SET day = $4 WHERE target = $1 AND kind = $2 AND key = $3 AND day < $4
