-- secret_count: number of registration secrets.
SELECT count(*) AS total FROM registration_secret WHERE revoked_ms IS NULL;
