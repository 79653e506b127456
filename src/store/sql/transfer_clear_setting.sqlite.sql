-- Forget settings, but not how far a copy came. No parameters.
DELETE FROM setting WHERE name <> 'copy'
