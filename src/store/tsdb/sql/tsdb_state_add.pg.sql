-- Make the one state row of a new store, unless another node just did. $1 epoch (16 bytes).
INSERT INTO ts_state (id, epoch, next_relation, next_grp, next_object, names, drops, wide)
VALUES (1, $1, 1, 1, 1, 0, 0, 0) ON CONFLICT (id) DO NOTHING
