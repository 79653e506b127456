-- audit_mac: sign an audit row of before there was a key.
-- $1 number, $2 mac
UPDATE audit SET mac = $2 WHERE number = $1;
