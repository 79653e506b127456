-- Whether a month has its partition. $1 tier, $2 month. Columns: month.
SELECT month FROM ts_month WHERE tier = $1 AND month = $2
