-- 0012_token: tokens for scripts; refresh tokens that were used up; more about sessions.

-- Made by a person for a script. Only the hash of the value is here; scope bounds what it may do,
-- and so does the role of the account, as it is at the time of use.
CREATE TABLE api_token (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('metrics', 'read', 'write', 'admin')),
    token_hash TEXT NOT NULL UNIQUE,
    expires_ms INTEGER NOT NULL,
    last_used_ms INTEGER,
    last_address TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER
) STRICT;
CREATE INDEX api_token_account ON api_token (account_id);

-- Whoever shows one of these has a copy of what was already exchanged: the session ends.
CREATE TABLE session_refresh (
    refresh_hash TEXT NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    used_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX session_refresh_session ON session_refresh (session_id);

-- The program that signed in, in its own words; and when the person last proved who it is.
ALTER TABLE session ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE session ADD COLUMN verified_ms INTEGER NOT NULL DEFAULT 0;
