-- Merge the parts of the full-text index, so that what was deleted goes. $1 how many pages at most; negative: begin.
INSERT INTO event_search (event_search, rank) VALUES ('merge', $1)
