-- Take the events of a target, which are still there, out of the index. $1 target.
INSERT INTO event_search (event_search, rowid, title, kind, body)
SELECT 'delete', id, title, kind, body FROM event WHERE target = $1
