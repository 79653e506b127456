-- No target is deleted while this transaction lasts. The key spells "pgadrops". Columns: drops.
SELECT drops FROM ts_state, pg_catalog.pg_advisory_xact_lock_shared(8099549538893656179)
