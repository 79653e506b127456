-- collector_slot_add: add samples to a slot of 5 minutes.
-- $1 collector, $2 slot, $3 samples
INSERT INTO collector_slot (collector_id, slot, samples) VALUES ($1, $2, $3)
ON CONFLICT (collector_id, slot) DO UPDATE SET samples = collector_slot.samples + excluded.samples;
