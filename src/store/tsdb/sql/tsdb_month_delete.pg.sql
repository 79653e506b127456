-- A month has no partition any more. $1 tier, $2 month.
DELETE FROM ts_month WHERE tier = $1 AND month = $2
