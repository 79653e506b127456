-- No push is stored while this transaction lasts. The key spells "pgadrops". Columns: drops.
SELECT drops FROM ts_state, pg_catalog.pg_advisory_xact_lock(8099549538893656179)
