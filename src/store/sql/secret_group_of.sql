-- secret_group_of: the group of a registration secret.
-- $1 id
SELECT group_name FROM registration_secret WHERE id = $1;
