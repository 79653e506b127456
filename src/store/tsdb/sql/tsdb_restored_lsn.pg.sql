-- Numbers of journal rows go on above all that something of the copy names, and above what was given before.
-- $1 of the targets. Columns: lsn.
SELECT setval(pg_catalog.pg_get_serial_sequence('ts_journal', 'lsn'), greatest($1::bigint, (SELECT coalesce(max(lsn), 0) FROM ts_journal),
    (SELECT coalesce(max(lsn), 0) FROM ts_target_seen), nextval(pg_catalog.pg_get_serial_sequence('ts_journal', 'lsn')))) AS lsn
