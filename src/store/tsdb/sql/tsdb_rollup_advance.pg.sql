-- All hours that are open are rolled up, unless a mark is left, or the journal has readings of after the watermark.
UPDATE ts_rollup r SET watermark_ms = r.open_hour * 3600000 WHERE r.watermark_ms < r.open_hour * 3600000
AND NOT EXISTS (SELECT 1 FROM ts_dirty d WHERE d.hour < r.open_hour)
AND NOT EXISTS (SELECT 1 FROM ts_journal j WHERE j.t_max > r.watermark_ms AND j.t_min <= r.open_hour * 3600000)
