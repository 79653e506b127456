-- Mark an hour of a group as not rolled up. $1 hour, $2 group.
INSERT OR IGNORE INTO dirty (hour, grp) VALUES ($1, $2)
