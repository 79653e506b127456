-- Make the one state row of a new store. $1 epoch (16 bytes).
INSERT INTO state (id, epoch, next_lsn, next_relation, next_grp, next_object, next_stream) VALUES (1, $1, 1, 1, 1, 1, 1)
