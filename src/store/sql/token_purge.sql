-- token_purge: forget tokens that were revoked or expired long ago.
-- $1 before (ms)
DELETE FROM api_token WHERE revoked_ms < $1 OR expires_ms < $1;
