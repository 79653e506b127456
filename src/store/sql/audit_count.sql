-- audit_count: how many audit rows there are.
SELECT count(*) AS total FROM audit;
