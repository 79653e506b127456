-- No hour is opened for roll-ups while this transaction lasts. The key spells "pgarolls". Columns: one.
SELECT 1 AS one FROM pg_catalog.pg_advisory_xact_lock_shared(8099549598972669043)
