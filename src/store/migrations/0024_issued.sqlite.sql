-- 0024_issued: certificates that ended more than a year ago may be forgotten. An agent has some 730
-- a year; rows that are younger stay as before, whoever asks.

DROP TRIGGER issued_certificate_is_kept;
CREATE TRIGGER issued_certificate_is_kept BEFORE DELETE ON issued_certificate
WHEN OLD.not_after_ms > (CAST(strftime('%s', 'now') AS INTEGER) - 366 * 86400) * 1000
    AND NOT EXISTS (SELECT 1 FROM setting WHERE name = 'copy')
BEGIN
    SELECT RAISE(ABORT, 'issued certificates are not removed');
END;
CREATE INDEX issued_certificate_end ON issued_certificate (not_after_ms);
