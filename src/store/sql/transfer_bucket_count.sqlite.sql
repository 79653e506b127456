-- Buckets of a file of before a time. $1 t. Columns: count, first, last.
SELECT coalesce(sum(slice_count), 0) AS buckets, min(t_min) AS first, max(t_max) AS last
FROM block
WHERE t_max < $1
