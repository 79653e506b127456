-- How far roll-ups are. No parameters. Columns: open_hour, watermark_ms, raw_day.
SELECT open_hour, watermark_ms, raw_day FROM ts_rollup
