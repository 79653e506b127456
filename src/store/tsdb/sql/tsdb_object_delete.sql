-- Delete an object that nothing names any more. $1 id.
DELETE FROM object WHERE id = $1
