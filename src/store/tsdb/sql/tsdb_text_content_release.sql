-- Delete a text unless it still has a name. $1 content id.
DELETE FROM content WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM text_key WHERE content = $1)
