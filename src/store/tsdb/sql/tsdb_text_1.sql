-- Schema 1 of text.db: large texts once, and who refers to them. No parameters.
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), applied INTEGER NOT NULL);
INSERT INTO state (id, applied) VALUES (1, 0);
CREATE TABLE content (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,       -- of the text, 16 bytes
    packed INTEGER NOT NULL,         -- 1: zstd
    size INTEGER NOT NULL,           -- of the text
    data BLOB NOT NULL
);
CREATE TABLE text_key (
    target BLOB NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    content INTEGER NOT NULL REFERENCES content,
    PRIMARY KEY (target, kind, key)
) WITHOUT ROWID;
