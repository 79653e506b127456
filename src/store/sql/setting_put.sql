-- setting_put: set a setting.
-- $1 name, $2 value
INSERT INTO setting (name, value) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET value = excluded.value;
