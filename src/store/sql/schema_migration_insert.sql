-- Record one migration. $1 number, $2 name, $3 sha256 (hexadecimal), $4 applied_ms.
INSERT INTO schema_migration (number, name, sha256, applied_ms) VALUES ($1, $2, $3, $4)
