-- target_group_follow: move those targets of a collector that are in its group.
-- $1 collector, $2 its group until now, $3 its new one
UPDATE target SET group_name = $3 WHERE collector_id = $1 AND group_name = $2;
