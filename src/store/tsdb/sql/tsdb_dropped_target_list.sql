-- Targets that were deleted of late. No parameters. Columns: target, t.
SELECT target, t FROM dropped_target
