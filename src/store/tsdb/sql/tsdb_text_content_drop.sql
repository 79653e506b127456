-- Delete the texts that nobody names any more. No parameters.
DELETE FROM content WHERE NOT EXISTS (SELECT 1 FROM text_key k WHERE k.content = content.id)
