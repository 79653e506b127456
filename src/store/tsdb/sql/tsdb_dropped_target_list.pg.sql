-- Targets that were deleted of late. No parameters. Columns: target, t.
SELECT target, t_ms FROM ts_dropped_target
