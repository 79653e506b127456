-- Readings, or buckets, of a file. No parameters. Columns: count.
SELECT coalesce(sum(slice_count), 0) FROM block
