-- Take or renew groups for their collectors. $1 groups, $2 collectors in hexadecimal, $3 for how many ms.
-- Columns: grp; no row: another collector has it.
INSERT INTO ts_owner AS o (grp, collector, until)
SELECT x.grp, decode(x.collector, 'hex'), clock_timestamp() + x.ms * interval '1 ms'
FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS x (grp, collector, ms) ORDER BY x.grp
ON CONFLICT (grp) DO UPDATE SET collector = excluded.collector, until = excluded.until
WHERE o.collector = excluded.collector OR o.until < clock_timestamp()
RETURNING grp
