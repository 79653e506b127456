-- config_newest: note the newest version.
-- $1 collector, $2 version
UPDATE collector SET config_version = $2 WHERE id = $1;
