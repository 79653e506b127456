-- A server process ended in order. $1 id.
DELETE FROM ts_node WHERE id = $1
