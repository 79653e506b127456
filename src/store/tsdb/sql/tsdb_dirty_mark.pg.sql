-- Mark hours of groups, in the transaction that stores their readings. A mark that is there and that nobody works on
-- says it already. $1 hours, $2 groups.
INSERT INTO ts_dirty (hour, grp, n)
SELECT DISTINCT x.hour, x.grp, pg_catalog.txid_current() FROM unnest($1::bigint[], $2::bigint[]) AS x (hour, grp)
WHERE NOT EXISTS (SELECT 1 FROM ts_dirty d
    WHERE d.hour = x.hour AND d.grp = x.grp AND d.hour >= (SELECT open_hour FROM ts_rollup))
ORDER BY 1, 2
ON CONFLICT (hour, grp) DO UPDATE SET n = excluded.n
