-- 0014_seal: data keys, and the first field that is sealed with them.

-- Data keys by generation, wrapped with the master key. The newest seals; older ones open until no
-- field is of them. A retired one is empty.
CREATE TABLE data_key (
    generation BIGINT NOT NULL PRIMARY KEY,
    wrapped BYTEA NOT NULL,
    sealed BIGINT NOT NULL,      -- how many fields were sealed with it
    created_ms BIGINT NOT NULL,
    retired_ms BIGINT
);

-- Secrets of the deployment from which others are derived: "tokens".
CREATE TABLE root_key (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sealed BYTEA NOT NULL
);
