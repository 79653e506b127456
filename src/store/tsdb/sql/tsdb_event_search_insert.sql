-- Index an event. $1 id, $2 title, $3 kind, $4 body.
INSERT INTO event_search (rowid, title, kind, body) VALUES ($1, $2, $3, $4)
