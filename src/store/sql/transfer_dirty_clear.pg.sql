-- No hour is marked. No parameters.
DELETE FROM ts_dirty
