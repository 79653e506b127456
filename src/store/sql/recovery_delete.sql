-- recovery_delete: forget the recovery codes of an account.
-- $1 account
DELETE FROM recovery_code WHERE account_id = $1;
