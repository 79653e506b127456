-- Schema 1 of event.db: events, with a full-text index. No parameters.
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), applied INTEGER NOT NULL);
INSERT INTO state (id, applied) VALUES (1, 0);
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    t INTEGER NOT NULL,
    collector BLOB NOT NULL,
    target BLOB NOT NULL,            -- all zero: the agent or the server itself
    kind TEXT NOT NULL,
    severity INTEGER NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX event_by_time ON event (t, id);
CREATE INDEX event_by_target ON event (target, t, id);
CREATE VIRTUAL TABLE event_search USING fts5 (title, kind, body, content='event', content_rowid='id');
