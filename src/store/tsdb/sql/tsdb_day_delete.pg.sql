-- A day has partitions no more. $1 day.
DELETE FROM ts_day WHERE day = $1
