-- Compare the full-text index with the events; fails when it differs. No parameters.
INSERT INTO event_search (event_search, rank) VALUES ('integrity-check', 1)
