-- Schema 1 of damaged.db: what could not be read and was moved out of the way. No parameters.
CREATE TABLE damaged (
    id INTEGER PRIMARY KEY,
    file TEXT NOT NULL,              -- where it was, below the folder of the store
    what TEXT NOT NULL,              -- journal slices, slice, block, part, events and texts
    key INTEGER NOT NULL,            -- its lsn or id there
    reason TEXT NOT NULL,
    about TEXT,                      -- what else its row said
    data BLOB NOT NULL,
    found_ms INTEGER NOT NULL
);
