-- setting_get: the value of a setting.
-- $1 name
SELECT value FROM setting WHERE name = $1;
