-- How far roll-ups are that were copied. $1 open_hour, $2 watermark_ms, $3 raw_day.
UPDATE ts_rollup SET open_hour = $1, watermark_ms = $2, raw_day = $3
