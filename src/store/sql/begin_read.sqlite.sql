-- begin_read: begin a transaction that sees one snapshot.
BEGIN
