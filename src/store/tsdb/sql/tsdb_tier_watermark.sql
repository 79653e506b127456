-- The watermark of a tier file. No parameters. Columns: watermark.
SELECT watermark FROM state
