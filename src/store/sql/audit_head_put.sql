-- audit_head_put: keep the newest row of an hour, signed.
-- $1 hour, $2 number, $3 hash, $4 at (ms), $5 mac
INSERT INTO audit_head (hour, number, hash, at_ms, mac) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (hour) DO UPDATE SET number = excluded.number, hash = excluded.hash,
    at_ms = excluded.at_ms, mac = excluded.mac
WHERE excluded.number > audit_head.number;
