-- Keep the counters of ids. $1 next relation, $2 next group, $3 next object.
UPDATE ts_state SET next_relation = $1, next_grp = $2, next_object = $3
