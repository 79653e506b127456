-- begin_shared: begin a transaction beside those of others: rows are locked one by one, if at all.
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {settings}
