-- So do those of streams, nodes and events; and nobody is the leader. No parameters. Columns: stream, node, event, leaders.
WITH free AS (UPDATE ts_leader SET term = term + 1, until = '-infinity' RETURNING id)
SELECT setval(pg_catalog.pg_get_serial_sequence('ts_stream', 'id'), greatest((SELECT coalesce(max(id), 0) FROM ts_stream),
        nextval(pg_catalog.pg_get_serial_sequence('ts_stream', 'id')))) AS stream,
    setval(pg_catalog.pg_get_serial_sequence('ts_node', 'id'), greatest((SELECT coalesce(max(id), 0) FROM ts_node),
        (SELECT coalesce(max(node), 0) FROM ts_journal), nextval(pg_catalog.pg_get_serial_sequence('ts_node', 'id')))) AS node,
    setval(pg_catalog.pg_get_serial_sequence('ts_event', 'id'), greatest((SELECT coalesce(max(id), 0) FROM ts_event),
        nextval(pg_catalog.pg_get_serial_sequence('ts_event', 'id')))) AS event,
    (SELECT count(*) FROM free) AS leaders
