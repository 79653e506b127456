-- Schema 3 of text.db: who sent a text, and what it takes, for the caps of a collector. No parameters.
ALTER TABLE text_key ADD COLUMN collector BLOB;
ALTER TABLE text_key ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;  -- 0: its text was there already
