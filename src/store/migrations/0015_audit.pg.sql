-- 0015_audit: signatures of the audit.

-- Of number and hash of the row, with a key that is not in the store: a chain that was computed
-- anew is found. Empty in rows of a store that no server with a key has opened.
ALTER TABLE audit ADD COLUMN mac TEXT COLLATE "C" NOT NULL DEFAULT '';

-- The newest row at the end of each hour (UTC, since 1970), signed: rows that were cut off are
-- missed.
CREATE TABLE audit_head (
    hour BIGINT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    hash TEXT COLLATE "C" NOT NULL,
    at_ms BIGINT NOT NULL,
    mac TEXT COLLATE "C" NOT NULL
);
