-- Workload: a search that no index helps. $1 pattern number.
SELECT count(*) FROM account WHERE filler LIKE '%' || md5(($1::int)::text) || '%'
