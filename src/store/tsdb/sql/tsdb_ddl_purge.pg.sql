-- Values of deleted targets. {table}.
DELETE FROM {table} w USING ts_dropped_group d WHERE w.grp = d.grp
