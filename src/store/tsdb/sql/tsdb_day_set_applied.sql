-- Set the watermark of a day, text or event file. $1 lsn.
UPDATE state SET applied = $1
