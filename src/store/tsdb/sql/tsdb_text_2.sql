-- Schema 2 of text.db: which names a text has. No parameters.
CREATE INDEX text_key_by_content ON text_key (content);
