-- Hours before this one may be rolled up. $1 hour.
UPDATE ts_rollup SET open_hour = $1 WHERE open_hour < $1
