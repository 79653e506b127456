-- Months of a tier that have partitions. $1 tier. Columns: month.
SELECT month FROM ts_month WHERE tier = $1 ORDER BY month
