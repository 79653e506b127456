-- Delete a text unless it still has a name. $1 id.
DELETE FROM ts_text WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM ts_text_key WHERE text = $1)
