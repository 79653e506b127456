-- Remove the parts of blocks of a flush that did not end. No parameters.
DELETE FROM part WHERE id / 4096 IN (SELECT id FROM block WHERE flush_lsn > (SELECT applied FROM state))
