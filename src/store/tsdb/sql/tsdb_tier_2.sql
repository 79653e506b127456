-- Schema 2 of a tier file: readings of days before these went, by class of clocks; days since 1970-01-01. The highest of all files counts. No parameters.
ALTER TABLE state ADD COLUMN raw_fast INTEGER NOT NULL DEFAULT 0;
ALTER TABLE state ADD COLUMN raw_slow INTEGER NOT NULL DEFAULT 0;
