-- Counters of ids. No parameters. Columns: next_relation, next_grp, next_object.
SELECT next_relation, next_grp, next_object FROM ts_state
