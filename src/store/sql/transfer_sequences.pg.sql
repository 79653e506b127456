-- Numbers that are given from now on are above those that were copied. $1 lsn that was taken.
-- Columns: numbers.
SELECT
    setval(pg_get_serial_sequence('account', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM account), false),
    setval(pg_get_serial_sequence('registration_secret', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM registration_secret), false),
    setval(pg_get_serial_sequence('api_token', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM api_token), false),
    setval(pg_get_serial_sequence('managed_instance', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM managed_instance), false),
    setval(pg_get_serial_sequence('ts_stream', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM ts_stream), false),
    setval(pg_get_serial_sequence('ts_event', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM ts_event), false),
    setval(pg_get_serial_sequence('ts_text', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM ts_text), false),
    setval(pg_get_serial_sequence('ts_journal', 'lsn'), $1 + 1, false)
