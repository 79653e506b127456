-- account_delete: remove an account; its sessions go with it.
-- $1 id
DELETE FROM account WHERE id = $1;
