-- A target was deleted. No parameters.
UPDATE ts_state SET drops = drops + 1
