-- Build the full-text index of the events anew. No parameters.
INSERT INTO event_search (event_search) VALUES ('rebuild')
