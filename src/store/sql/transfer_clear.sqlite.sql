-- Empty a table before it is copied (again). {table} is filled in.
DELETE FROM {table}
