-- What a name stands for. $1 target, $2 kind, $3 key. Columns: content, bytes.
SELECT content, bytes FROM text_key WHERE target = $1 AND kind = $2 AND key = $3
