-- Names are added by one node at a time, so that ids rise with every commit. The key spells "pganames". Columns: names, drops.
SELECT names, drops FROM ts_state, pg_catalog.pg_advisory_xact_lock(8099549581557982579)
