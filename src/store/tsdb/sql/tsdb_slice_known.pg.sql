-- Which of these readings are stored already. $1 groups, $2 times. Columns: grp, t_ms.
SELECT s.grp, s.t_ms FROM unnest($1::bigint[], $2::bigint[]) AS x (grp, t_ms) JOIN ts_slice s ON s.grp = x.grp AND s.t_ms = x.t_ms
