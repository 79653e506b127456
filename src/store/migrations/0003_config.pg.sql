-- 0003_config: the configuration that the server keeps for an agent, every version of it, and what
-- the agent said about it.

CREATE TABLE collector_config (
    collector_id TEXT COLLATE "C" NOT NULL REFERENCES collector (id) ON DELETE CASCADE,
    version BIGINT NOT NULL,
    toml TEXT COLLATE "C" NOT NULL,
    author TEXT COLLATE "C" NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (collector_id, version)
);

-- The newest version, the one in effect, and one that could not be applied; 0 = none.
ALTER TABLE collector ADD COLUMN config_version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE collector ADD COLUMN config_applied BIGINT NOT NULL DEFAULT 0;
ALTER TABLE collector ADD COLUMN config_failed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE collector ADD COLUMN config_error TEXT COLLATE "C" NOT NULL DEFAULT '';
