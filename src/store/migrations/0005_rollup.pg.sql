-- 0005_rollup: roll-ups of time series in PostgreSQL, and what a collector's texts take. The leader makes the partitions
-- by month of ts_tier5m and ts_tier1h. Hours are numbered from 1970-01-01 UTC; a reading at t_ms is of hour
-- (t_ms - 1) / 3600000. Bytes are those of store/tsdb/block.h.

-- How far the leader came.
CREATE TABLE ts_rollup (
    id SMALLINT PRIMARY KEY CHECK (id = 1),
    open_hour BIGINT NOT NULL,           -- hours before it may be rolled up: every reading renews their marks
    watermark_ms BIGINT NOT NULL,        -- every bucket that ends up to here is there
    raw_day BIGINT NOT NULL              -- readings of days before it went
);
INSERT INTO ts_rollup (id, open_hour, watermark_ms, raw_day) VALUES (1, 0, 0, 0);

-- Hours of groups with readings that no roll-up has yet.
CREATE TABLE ts_dirty (
    hour BIGINT NOT NULL,
    grp BIGINT NOT NULL,
    n BIGINT NOT NULL,                   -- the transaction that marked it last
    PRIMARY KEY (hour, grp)
);
INSERT INTO ts_dirty (hour, grp, n) SELECT DISTINCT (t_ms - 1) / 3600000, grp, 0 FROM ts_slice;

-- Months (year * 12 + month - 1) that have partitions.
CREATE TABLE ts_month (
    tier SMALLINT NOT NULL,
    month INTEGER NOT NULL,
    PRIMARY KEY (tier, month)
);

-- Blocks of buckets: a row for the head of each, and one for each of its parts.
CREATE TABLE ts_tier (
    tier SMALLINT NOT NULL,              -- 0: 5 minutes, 1: an hour
    grp BIGINT NOT NULL,
    hour BIGINT NOT NULL,                -- first one of the window that the block is of
    id INTEGER NOT NULL,                 -- number of the block in the window
    part INTEGER NOT NULL,               -- 0: the head
    t_min BIGINT NOT NULL,
    t_max BIGINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (tier, grp, hour, id, part)
) PARTITION BY LIST (tier);
ALTER TABLE ts_tier ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE TABLE ts_tier5m PARTITION OF ts_tier FOR VALUES IN (0) PARTITION BY RANGE (hour);
CREATE TABLE ts_tier1h PARTITION OF ts_tier FOR VALUES IN (1) PARTITION BY RANGE (hour);
ALTER TABLE ts_tier5m ALTER COLUMN data SET STORAGE EXTERNAL;
ALTER TABLE ts_tier1h ALTER COLUMN data SET STORAGE EXTERNAL;

-- Who sent a text, and what it takes, for the caps of a collector.
ALTER TABLE ts_text_key ADD COLUMN collector BYTEA;
ALTER TABLE ts_text_key ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;  -- 0: its text was there already
