-- The store's identity. No parameters. Columns: epoch, names, drops.
SELECT epoch, names, drops FROM ts_state
