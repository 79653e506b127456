-- account_insert: add an account; gives its id.
-- $1 username, $2 folded, $3 email, $4 full name, $5 role, $6 password hash, $7 now (ms),
-- $8 groups (store_group.h); NULL = all
INSERT INTO account (username, username_folded, email, full_name, role, password_hash, is_active,
    created_ms, updated_ms, group_names)
VALUES ($1, $2, $3, $4, $5, $6, 1, $7, $7, $8)
RETURNING id;
