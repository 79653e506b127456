-- Remove the blocks of a flush that did not end. No parameters.
DELETE FROM block WHERE flush_lsn > (SELECT applied FROM state)
