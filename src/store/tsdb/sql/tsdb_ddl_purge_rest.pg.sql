-- The rest of deleted targets, at the end.
DELETE FROM ts_slice s USING ts_dropped_group d WHERE s.grp = d.grp;
DELETE FROM ts_tier t USING ts_dropped_group d WHERE t.grp = d.grp;
DELETE FROM ts_dirty t USING ts_dropped_group d WHERE t.grp = d.grp;
DELETE FROM ts_extra e WHERE NOT EXISTS (SELECT 1 FROM ts_object o WHERE o.id = e.object);
DELETE FROM ts_text t WHERE NOT EXISTS (SELECT 1 FROM ts_text_key k WHERE k.text = t.id);
DELETE FROM ts_dropped_group
