-- collector_hour_add: add samples to an hour.
-- $1 collector, $2 hour, $3 samples
INSERT INTO collector_hour (collector_id, hour, samples) VALUES ($1, $2, $3)
ON CONFLICT (collector_id, hour) DO UPDATE SET samples = collector_hour.samples + excluded.samples;
