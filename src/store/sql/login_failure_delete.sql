-- login_failure_delete: forget the failures under a name.
-- $1 name
DELETE FROM login_failure WHERE name = $1;
