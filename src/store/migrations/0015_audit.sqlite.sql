-- 0015_audit: signatures of the audit.

-- Of number and hash of the row, with a key that is not in the store: a chain that was computed
-- anew is found. Empty in rows of a store that no server with a key has opened.
ALTER TABLE audit ADD COLUMN mac TEXT NOT NULL DEFAULT '';

-- The newest row at the end of each hour (UTC, since 1970), signed: rows that were cut off are
-- missed.
CREATE TABLE audit_head (
    hour INTEGER NOT NULL PRIMARY KEY,
    number INTEGER NOT NULL,
    hash TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    mac TEXT NOT NULL
) STRICT;
