-- What a name stands for. $1 target, $2 kind, $3 key. Columns: text, bytes.
SELECT text, bytes FROM ts_text_key WHERE target = $1 AND kind = $2 AND key = $3
