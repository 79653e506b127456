-- 0014_seal: data keys, and the first field that is sealed with them.

-- Data keys by generation, wrapped with the master key. The newest seals; older ones open until no
-- field is of them. A retired one is empty.
CREATE TABLE data_key (
    generation INTEGER NOT NULL PRIMARY KEY,
    wrapped BLOB NOT NULL,
    sealed INTEGER NOT NULL,     -- how many fields were sealed with it
    created_ms INTEGER NOT NULL,
    retired_ms INTEGER
) STRICT;

-- Secrets of the deployment from which others are derived: "tokens".
CREATE TABLE root_key (
    name TEXT NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;
