-- A text. $1 target, $2 kind, $3 key. Columns: body.
SELECT t.body FROM ts_text_key k JOIN ts_text t ON t.id = k.text WHERE k.target = $1 AND k.kind = $2 AND k.key = $3
