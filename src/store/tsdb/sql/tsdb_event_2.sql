-- Schema 2 of event.db: which events have a body that the quota may take. No parameters.
CREATE INDEX event_with_body ON event (t, id) WHERE body <> '{}';
