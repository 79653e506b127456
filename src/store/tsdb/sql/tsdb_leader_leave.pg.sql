-- Give the lease back. $1 node.
UPDATE ts_leader SET until = '-infinity' WHERE holder = $1
