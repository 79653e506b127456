-- Bookkeeping of migrations. No parameters. Idempotent.
CREATE TABLE IF NOT EXISTS schema_migration (
    number integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_ms bigint NOT NULL
)
