-- 0010_authority: the certificate authority, what it issued, and how agents show who they are.

-- Roots and issuing authorities by generation; the newest of a kind is in use. The private key is
-- sealed (store_seal.h). A root after the first is vouched for by the one before it.
CREATE TABLE authority (
    name TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('root', 'issuing')),
    generation INTEGER NOT NULL,
    certificate TEXT NOT NULL,
    cross_certificate TEXT NOT NULL,
    sealed_key BLOB NOT NULL,
    not_before_ms INTEGER NOT NULL,
    not_after_ms INTEGER NOT NULL,
    retire_ms INTEGER,
    created_ms INTEGER NOT NULL,
    UNIQUE (kind, generation)
) STRICT;

-- Every certificate that was issued. Rows are added and nothing else.
CREATE TABLE issued_certificate (
    serial TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    authority TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    not_before_ms INTEGER NOT NULL,
    not_after_ms INTEGER NOT NULL,
    issued_ms INTEGER NOT NULL
) STRICT;
CREATE TRIGGER issued_certificate_stays BEFORE UPDATE ON issued_certificate
BEGIN
    SELECT RAISE(ABORT, 'issued certificates are not changed');
END;
-- A copy that begins again empties the table of its destination (store/transfer).
CREATE TRIGGER issued_certificate_is_kept BEFORE DELETE ON issued_certificate
WHEN NOT EXISTS (SELECT 1 FROM setting WHERE name = 'copy')
BEGIN
    SELECT RAISE(ABORT, 'issued certificates are not removed');
END;

-- The certificate of an agent and the one before it; and whether it has to wait. Hashes are of keys
-- and certificates. Agents that show tokens alone have no row.
CREATE TABLE collector_trust (
    collector_id TEXT NOT NULL PRIMARY KEY REFERENCES collector (id) ON DELETE CASCADE,
    key_hash TEXT,
    certificate TEXT,
    fingerprint TEXT UNIQUE,
    not_after_ms INTEGER,
    issued_ms INTEGER,
    used_ms INTEGER,
    previous TEXT UNIQUE,
    previous_not_after_ms INTEGER,
    pending_ms INTEGER,
    suspended_ms INTEGER
) STRICT;

-- Where a secret may be used from (ranges with commas; '' = anywhere), and whether a person approves.
ALTER TABLE registration_secret ADD COLUMN allowed TEXT NOT NULL DEFAULT '';
ALTER TABLE registration_secret ADD COLUMN approval TEXT NOT NULL DEFAULT 'auto';
