-- The watermark of a day, text or event file. No parameters. Columns: applied.
SELECT applied FROM state
