-- 0013_totp: a second factor of accounts: codes of an app (RFC 6238), and recovery codes.

-- seed: sealed (store_seal.h). enabled_ms NULL: shown, and not yet proved to be in an app. last_step:
-- of the newest code that was taken; it and older ones are taken no more.
CREATE TABLE account_totp (
    account_id BIGINT NOT NULL PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    seed BYTEA NOT NULL,
    last_step BIGINT NOT NULL,
    enabled_ms BIGINT,
    created_ms BIGINT NOT NULL
);

-- Each opens once in place of a code. code_hash: a MAC, so that the table alone does not help.
CREATE TABLE recovery_code (
    code_hash TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    used_ms BIGINT
);
CREATE INDEX recovery_code_account ON recovery_code (account_id);
