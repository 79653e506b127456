-- Schema 1 of a tier file: roll-ups of one month. Blocks and parts are those of a day file. No parameters.
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    watermark INTEGER NOT NULL       -- ms; every bucket that ends up to here is in a block of this file or of an older one
);
INSERT INTO state (id, watermark) VALUES (1, 0);
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    grp INTEGER NOT NULL,
    flush_lsn INTEGER NOT NULL,      -- 0: replaced as a whole, so it always counts
    t_min INTEGER NOT NULL,
    t_max INTEGER NOT NULL,
    every_ms INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    reason TEXT,
    slice_count INTEGER NOT NULL,    -- buckets
    row_count INTEGER NOT NULL,
    head BLOB NOT NULL
);
CREATE INDEX block_by_group ON block (grp, t_min);
CREATE TABLE part (
    id INTEGER PRIMARY KEY,          -- block * 4096 + number
    data BLOB NOT NULL
);
