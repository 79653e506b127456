-- begin_read: begin a transaction that sees one snapshot.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {settings}
