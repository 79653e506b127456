-- begin_write: begin a transaction and take the write lock now.
BEGIN IMMEDIATE
