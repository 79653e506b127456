-- Schema 1 of ingest.db: the one file that a push waits for. No parameters.
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch BLOB NOT NULL,             -- UUID of the store; a restored backup gets a new one
    next_lsn INTEGER NOT NULL,       -- at least; the journal may be ahead
    next_relation INTEGER NOT NULL,
    next_grp INTEGER NOT NULL,
    next_object INTEGER NOT NULL,
    next_stream INTEGER NOT NULL
);
-- One row per acknowledged record or gap, until everything derived from it is durable elsewhere.
CREATE TABLE journal (
    lsn INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,         -- 0: the server itself
    seq INTEGER NOT NULL,
    span INTEGER NOT NULL,           -- sequence numbers covered; 1 but for gaps
    hash BLOB,                       -- SHA-256; NULL for a gap
    reason TEXT,                     -- of a gap
    slice_count INTEGER NOT NULL,
    sample_count INTEGER NOT NULL,
    t_min INTEGER,
    t_max INTEGER,
    slices BLOB,                     -- length and bytes of each slice
    meta BLOB                        -- JSON text: events, texts, targets
);
CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    collector BLOB NOT NULL,
    uuid BLOB NOT NULL,
    next_seq INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    backlog INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    UNIQUE (collector, uuid)
);
CREATE TABLE stream_gap (
    stream INTEGER NOT NULL,
    reason TEXT NOT NULL,
    records INTEGER NOT NULL,
    PRIMARY KEY (stream, reason)
) WITHOUT ROWID;
-- What trimmed journal rows said, for audits: the last 100000 records of a stream.
CREATE TABLE record (
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    span INTEGER NOT NULL,
    hash BLOB,
    reason TEXT,
    slice_count INTEGER NOT NULL,
    sample_count INTEGER NOT NULL,
    t_min INTEGER,
    t_max INTEGER,
    PRIMARY KEY (stream, seq)
) WITHOUT ROWID;
CREATE TABLE relation (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    help TEXT NOT NULL,
    fact INTEGER NOT NULL,
    sparse INTEGER NOT NULL,
    described INTEGER NOT NULL
);
CREATE TABLE relation_column (
    relation INTEGER NOT NULL REFERENCES relation,
    is_key INTEGER NOT NULL,
    id INTEGER NOT NULL,             -- position among the keys or columns
    name TEXT NOT NULL,
    kind INTEGER NOT NULL,
    type INTEGER NOT NULL,
    unit TEXT NOT NULL,
    help TEXT NOT NULL,
    resolution REAL NOT NULL,
    described INTEGER NOT NULL,
    PRIMARY KEY (relation, is_key, id)
) WITHOUT ROWID;
CREATE TABLE grp (
    id INTEGER PRIMARY KEY,
    target BLOB NOT NULL,
    relation INTEGER NOT NULL REFERENCES relation,
    scope TEXT NOT NULL,
    shard INTEGER NOT NULL DEFAULT 0,
    UNIQUE (target, relation, scope, shard)
);
CREATE TABLE object (
    id INTEGER PRIMARY KEY,
    grp INTEGER NOT NULL REFERENCES grp,
    keys BLOB NOT NULL
);
