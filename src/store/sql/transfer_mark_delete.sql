-- The copy came to its end: of which store it is stays. $1 epoch of the source.
UPDATE setting SET name = 'copied', value = $1 WHERE name = 'copy'
