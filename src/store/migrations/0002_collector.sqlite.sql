-- 0002_collector: what collectors delivered by 5 minutes instead of hours, so that the count of a day
-- rolls; and since when a collector is silent.

CREATE TABLE collector_slot (
    collector_id TEXT NOT NULL,
    slot INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    PRIMARY KEY (collector_id, slot)
) STRICT;

-- The samples of an hour count as those of its first slot.
INSERT INTO collector_slot (collector_id, slot, samples)
SELECT collector_id, hour * 12, samples FROM collector_hour;
DROP TABLE collector_hour;

-- NULL = heard of, or never seen.
ALTER TABLE collector ADD COLUMN offline_ms INTEGER;
