-- A month has its partition. $1 tier, $2 month.
INSERT INTO ts_month (tier, month) VALUES ($1, $2) ON CONFLICT (tier, month) DO NOTHING
