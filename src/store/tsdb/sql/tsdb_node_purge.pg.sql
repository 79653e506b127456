-- Forget processes that ended without a word and have no journal rows left. No parameters.
DELETE FROM ts_node n WHERE n.seen < clock_timestamp() - interval '1 hour'
    AND NOT EXISTS (SELECT 1 FROM ts_journal j WHERE j.node = n.id)
