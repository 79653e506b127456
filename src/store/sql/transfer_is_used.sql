-- Rows of the control plane that say that a store is in use. No parameters. Columns: total.
SELECT (SELECT count(*) FROM account)
    + (SELECT count(*) FROM collector)
    + (SELECT count(*) FROM registration_secret)
    + (SELECT count(*) FROM managed_instance)
    + (SELECT count(*) FROM target)
    + (SELECT count(*) FROM audit)
    + (SELECT count(*) FROM setting WHERE name <> 'copy') AS total
