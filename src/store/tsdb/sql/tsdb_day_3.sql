-- Schema 3 of a day file: what is not in the roll-ups yet. No parameters.
-- Hours of a group with slices that were written since the hour was rolled up; hour = (t - 1) / 3600000.
CREATE TABLE dirty (
    hour INTEGER NOT NULL,
    grp INTEGER NOT NULL,
    PRIMARY KEY (hour, grp)
) WITHOUT ROWID;
-- A file of an older program: all of it.
WITH RECURSIVE span (grp, hour, last) AS (
    SELECT grp, (t_min - 1) / 3600000, (t_max - 1) / 3600000 FROM block WHERE flush_lsn <= (SELECT applied FROM state)
    UNION
    SELECT grp, hour + 1, last FROM span WHERE hour < last)
INSERT OR IGNORE INTO dirty (hour, grp) SELECT hour, grp FROM span;
