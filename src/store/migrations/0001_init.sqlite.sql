-- 0001_init: the control plane.
--
-- Times are milliseconds since 1970-01-01 UTC. Hashes are SHA-256 in hexadecimal. Flags are 0 or 1.

-- Facts about this installation: key check value, ids, watermarks.
CREATE TABLE setting (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- People who may sign in.
CREATE TABLE account (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username TEXT NOT NULL,
    username_folded TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL,
    full_name TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'admin', 'owner', 'auditor')),
    password_hash TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    last_login_ms INTEGER,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;

-- One row a login. The cookie and the refresh token are random; only their hashes are here.
CREATE TABLE session (
    id TEXT NOT NULL PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    token_hash TEXT NOT NULL UNIQUE,
    refresh_hash TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL,
    ended_ms INTEGER
) STRICT;
CREATE INDEX session_account ON session (account_id);

-- Failed logins, by "account|address" and by address.
CREATE TABLE login_failure (
    name TEXT NOT NULL PRIMARY KEY,
    failures INTEGER NOT NULL,
    last_ms INTEGER NOT NULL
) STRICT;

-- What lets an agent enrol.
CREATE TABLE registration_secret (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    secret_hash TEXT NOT NULL UNIQUE,
    max_registrations INTEGER NOT NULL,
    total_registrations INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    revoked_ms INTEGER,
    last_used_ms INTEGER,
    created_by TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;

-- Enrolled agents.
CREATE TABLE collector (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hostname TEXT NOT NULL,
    address TEXT NOT NULL,
    version TEXT NOT NULL,
    secret_id INTEGER,
    samples_total INTEGER NOT NULL,
    last_seen_ms INTEGER,
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER
) STRICT;
CREATE UNIQUE INDEX collector_host ON collector (hostname, name) WHERE revoked_ms IS NULL;

-- Values that a collector delivered, by hour, for the count of the last day.
CREATE TABLE collector_hour (
    collector_id TEXT NOT NULL,
    hour INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    PRIMARY KEY (collector_id, hour)
) STRICT;

-- What is watched. The id is made by the agent; attributes is a JSON object.
CREATE TABLE target (
    id TEXT NOT NULL PRIMARY KEY,
    collector_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    attributes TEXT NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL
) STRICT;

-- Who did what. Each row's hash covers the row and the hash before it.
CREATE TABLE audit (
    number INTEGER NOT NULL PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL,
    address TEXT NOT NULL,
    request TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
