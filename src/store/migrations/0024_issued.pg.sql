-- 0024_issued: certificates that ended more than a year ago may be forgotten. An agent has some 730
-- a year; rows that are younger stay as before, whoever asks.

DROP RULE issued_certificate_is_kept ON issued_certificate;
CREATE RULE issued_certificate_is_kept AS ON DELETE TO issued_certificate
WHERE OLD.not_after_ms > (extract(epoch FROM now())::BIGINT - 366 * 86400) * 1000
DO INSTEAD NOTHING;
CREATE INDEX issued_certificate_end ON issued_certificate (not_after_ms);
