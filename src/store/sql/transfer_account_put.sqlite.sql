-- A row of table account, as another store has it. Parameters are its columns.
INSERT INTO account (id, username, username_folded, email, full_name, role, password_hash,
    is_active, last_login_ms, created_ms, updated_ms, group_names)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
