-- A day has its partitions. $1 day.
INSERT INTO ts_day (day) VALUES ($1) ON CONFLICT (day) DO NOTHING
