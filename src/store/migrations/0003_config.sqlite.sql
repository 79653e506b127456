-- 0003_config: the configuration that the server keeps for an agent, every version of it, and what
-- the agent said about it.

CREATE TABLE collector_config (
    collector_id TEXT NOT NULL REFERENCES collector (id) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    toml TEXT NOT NULL,
    author TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (collector_id, version)
) STRICT;

-- The newest version, the one in effect, and one that could not be applied; 0 = none.
ALTER TABLE collector ADD COLUMN config_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE collector ADD COLUMN config_applied INTEGER NOT NULL DEFAULT 0;
ALTER TABLE collector ADD COLUMN config_failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE collector ADD COLUMN config_error TEXT NOT NULL DEFAULT '';
