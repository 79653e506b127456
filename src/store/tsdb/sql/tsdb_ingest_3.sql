-- Schema 3 of ingest.db: who sent a group first, for the caps of a collector. No parameters.
ALTER TABLE grp ADD COLUMN collector BLOB;
