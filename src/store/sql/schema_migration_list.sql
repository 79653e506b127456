-- Applied migrations in order. No parameters. Columns: number, name, sha256 (hexadecimal), applied_ms.
SELECT number, name, sha256, applied_ms FROM schema_migration ORDER BY number
