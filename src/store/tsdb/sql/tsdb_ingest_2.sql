-- Schema 2 of ingest.db: targets can be deleted. No parameters.
-- Groups of deleted targets: what journal and day files still hold of them counts for nothing. A row goes when they hold nothing.
CREATE TABLE dropped (
    grp INTEGER PRIMARY KEY,
    lsn INTEGER NOT NULL             -- of the deletion; every slice of the group has a lower one
);
-- Deleted targets and when: agents keep what they delivered for a while, and readings of before do not come back.
CREATE TABLE dropped_target (
    target BLOB PRIMARY KEY,
    t INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX object_by_group ON object (grp);
