-- Say that all blocks up to a watermark were merged. $1 lsn.
UPDATE state SET compacted = $1
