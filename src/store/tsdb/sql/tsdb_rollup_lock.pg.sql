-- Wait until nobody moves readings. The key spells "pgarolls". Columns: one.
SELECT 1 AS one FROM pg_catalog.pg_advisory_xact_lock(8099549598972669043)
