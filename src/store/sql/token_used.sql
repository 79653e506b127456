-- token_used: note the use of a token.
-- $1 id, $2 now (ms), $3 address
UPDATE api_token SET last_used_ms = $2, last_address = $3 WHERE id = $1;
