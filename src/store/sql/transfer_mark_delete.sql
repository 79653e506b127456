-- The copy came to its end. No parameters.
DELETE FROM setting WHERE name = 'copy'
