-- 0016_managed: PostgreSQL servers that this server reads itself, and how they fared lately.

CREATE TABLE managed_instance (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    port INTEGER NOT NULL,
    dbname TEXT NOT NULL,
    environment TEXT NOT NULL,
    username TEXT NOT NULL,
    password BLOB,                        -- sealed; NULL = none
    ssl_mode TEXT NOT NULL,
    interval_ms INTEGER NOT NULL,
    timeout_ms INTEGER NOT NULL,
    tags TEXT NOT NULL,                   -- JSON
    is_paused INTEGER NOT NULL,
    target_id TEXT NOT NULL UNIQUE,       -- what is read belongs to this target,
    collector_id TEXT NOT NULL,           -- and comes as this collector
    stream_id TEXT NOT NULL,              -- in this stream
    version INTEGER NOT NULL,             -- rises with every change by people
    created_by TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    -- the last attempt to connect; stage and error: '' when it succeeded
    connection TEXT NOT NULL CHECK (connection IN ('unknown', 'connected', 'error')),
    stage TEXT NOT NULL,
    error TEXT NOT NULL,
    fix TEXT NOT NULL,                    -- SQL that would help; '' = none is known
    server_version TEXT NOT NULL,
    tried_ms INTEGER,
    since_ms INTEGER,                     -- `connection` and `stage` are the same since then
    connected_ms INTEGER,
    failed_ms INTEGER
) STRICT;
