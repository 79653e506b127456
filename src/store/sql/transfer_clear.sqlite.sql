-- Empty a table before it is copied (again). Its name is filled in.
DELETE FROM {table}
