-- Schema 1 of a day file: blocks of one UTC day and one class of clocks. No parameters.
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    applied INTEGER NOT NULL         -- every slice of this file up to this lsn is in a block
);
INSERT INTO state (id, applied) VALUES (1, 0);
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    grp INTEGER NOT NULL,
    flush_lsn INTEGER NOT NULL,      -- counts only when <= applied
    t_min INTEGER NOT NULL,
    t_max INTEGER NOT NULL,
    every_ms INTEGER NOT NULL,       -- of the last slice
    flags INTEGER NOT NULL,          -- of the last slice
    reason TEXT,                     -- of the last slice, when it failed
    slice_count INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    head BLOB NOT NULL
);
CREATE INDEX block_by_group ON block (grp, t_min);
CREATE TABLE part (
    id INTEGER PRIMARY KEY,          -- block * 4096 + number
    data BLOB NOT NULL
);
