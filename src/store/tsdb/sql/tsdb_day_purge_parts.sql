-- Remove the parts of every block of a group. $1 group.
DELETE FROM part WHERE id IN (
    SELECT p.id FROM block b JOIN part p ON p.id >= b.id * 4096 AND p.id < (b.id + 1) * 4096 WHERE b.grp = $1)
