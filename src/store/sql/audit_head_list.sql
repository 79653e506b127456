-- audit_head_list: signed heads of the audit, in the order of the rows.
SELECT hour, number, hash, at_ms, mac FROM audit_head ORDER BY number, hour;
