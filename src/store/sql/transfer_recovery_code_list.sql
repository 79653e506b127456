-- A page of table recovery_code. After $1 MAC; $2 how many at most.
SELECT code_hash, account_id, used_ms
FROM recovery_code
WHERE code_hash > $1
ORDER BY code_hash LIMIT $2
