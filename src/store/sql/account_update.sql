-- account_update: change an account.
-- $1 id, $2 email, $3 full name, $4 role, $5 is active, $6 now (ms),
-- $7 groups (store_group.h); NULL = all
UPDATE account
SET email = $2, full_name = $3, role = $4, is_active = $5, updated_ms = $6,
    group_names = $7
WHERE id = $1;
