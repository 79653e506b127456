-- The heads of all blocks, counted or not. No parameters. Columns: head.
SELECT head FROM block
