-- Blocks of a file of roll-ups. No parameters. Columns: id, grp, t_min, head.
SELECT id, grp, t_min, head
FROM block
ORDER BY grp, t_min, id
