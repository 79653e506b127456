-- Let every block count from the lowest watermark on. No parameters.
UPDATE block SET flush_lsn = 1
