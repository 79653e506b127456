-- Bytes that the journal holds. No parameters. Columns: bytes.
SELECT coalesce(sum(coalesce(length(slices), 0) + coalesce(length(meta), 0) + 100), 0) AS bytes FROM journal
