-- Schema 2 of a day file: when its blocks were merged. No parameters.
ALTER TABLE state ADD COLUMN compacted INTEGER NOT NULL DEFAULT 0; -- all blocks up to this lsn were merged as a whole
