-- collector_count: number of collectors.
SELECT count(*) AS total FROM collector;
