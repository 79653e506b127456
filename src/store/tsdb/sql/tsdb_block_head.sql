-- The head of a block. $1 id. Columns: head.
SELECT head FROM block WHERE id = $1
