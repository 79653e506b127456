-- account_count: number of accounts, and of active owners.
SELECT count(*) AS accounts,
    count(CASE WHEN role = 'owner' AND is_active = 1 THEN 1 END) AS owners
FROM account;
