-- Schema 4 of text.db: how old a text is. No parameters.
ALTER TABLE text_key ADD COLUMN day INTEGER NOT NULL DEFAULT 0;  -- since 1970, when it came last or was looked at
UPDATE text_key SET day = unixepoch() / 86400;
CREATE INDEX text_key_by_day ON text_key (day);
