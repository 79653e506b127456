-- Inside each transaction of the leader: still the leader? $1 node, $2 term. Columns: term.
SELECT term FROM ts_leader WHERE holder = $1 AND term = $2 AND until >= clock_timestamp() FOR SHARE
