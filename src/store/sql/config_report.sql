-- config_report: what a collector says about its configuration, unless that is known.
-- $1 collector, $2 applied, $3 failed, $4 error
UPDATE collector
SET config_applied = $2, config_failed = $3, config_error = $4
WHERE id = $1 AND (config_applied <> $2 OR config_failed <> $3 OR config_error <> $4);
