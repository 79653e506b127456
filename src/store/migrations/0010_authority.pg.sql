-- 0010_authority: the certificate authority, what it issued, and how agents show who they are.

-- Roots and issuing authorities by generation; the newest of a kind is in use. The private key is
-- sealed (store_seal.h). A root after the first is vouched for by the one before it.
CREATE TABLE authority (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL CHECK (kind IN ('root', 'issuing')),
    generation BIGINT NOT NULL,
    certificate TEXT COLLATE "C" NOT NULL,
    cross_certificate TEXT COLLATE "C" NOT NULL,
    sealed_key BYTEA NOT NULL,
    not_before_ms BIGINT NOT NULL,
    not_after_ms BIGINT NOT NULL,
    retire_ms BIGINT,
    created_ms BIGINT NOT NULL,
    UNIQUE (kind, generation)
);

-- Every certificate that was issued. Rows are added and nothing else.
CREATE TABLE issued_certificate (
    serial TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    authority TEXT COLLATE "C" NOT NULL,
    fingerprint TEXT COLLATE "C" NOT NULL,
    not_before_ms BIGINT NOT NULL,
    not_after_ms BIGINT NOT NULL,
    issued_ms BIGINT NOT NULL
);
CREATE RULE issued_certificate_stays AS ON UPDATE TO issued_certificate DO INSTEAD NOTHING;
CREATE RULE issued_certificate_is_kept AS ON DELETE TO issued_certificate DO INSTEAD NOTHING;

-- The certificate of an agent and the one before it; and whether it has to wait. Hashes are of keys
-- and certificates. Agents that show tokens alone have no row.
CREATE TABLE collector_trust (
    collector_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES collector (id) ON DELETE CASCADE,
    key_hash TEXT COLLATE "C",
    certificate TEXT COLLATE "C",
    fingerprint TEXT COLLATE "C" UNIQUE,
    not_after_ms BIGINT,
    issued_ms BIGINT,
    used_ms BIGINT,
    previous TEXT COLLATE "C" UNIQUE,
    previous_not_after_ms BIGINT,
    pending_ms BIGINT,
    suspended_ms BIGINT
);

-- Where a secret may be used from (ranges with commas; '' = anywhere), and whether a person approves.
ALTER TABLE registration_secret ADD COLUMN allowed TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE registration_secret ADD COLUMN approval TEXT COLLATE "C" NOT NULL DEFAULT 'auto';
