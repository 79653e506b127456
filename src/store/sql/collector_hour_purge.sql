-- collector_hour_purge: forget old hours.
-- $1 before (hour)
DELETE FROM collector_hour WHERE hour < $1;
