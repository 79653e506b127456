-- Readings of days before this one went. $1 day.
UPDATE ts_rollup SET raw_day = $1 WHERE raw_day < $1
