-- Keys of all objects of a target. $1 target. Columns: keys.
SELECT o.keys FROM grp g JOIN object o ON o.grp = g.id WHERE g.target = $1
