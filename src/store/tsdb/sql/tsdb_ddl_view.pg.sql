-- What people and Grafana read: values with their labels. {view}, {table}, {columns}: each with a comma before it.
DROP VIEW IF EXISTS {view};
CREATE VIEW {view} AS
SELECT w.t, encode(g.target, 'hex')::uuid AS target, n.name AS target_name, g.scope{columns}, w.reset
FROM {table} w JOIN ts_group g ON g.id = w.grp LEFT JOIN ts_object o ON o.id = w.object
LEFT JOIN target n ON n.id = encode(g.target, 'hex')::uuid::text
