-- A partition for one day, made beside the table and then attached: that lets readers and writers pass.
-- {parent}, {child}, {column}, {from}, {to}: literals of the partition key.
CREATE TABLE {child} (LIKE {parent} INCLUDING ALL,
    CONSTRAINT {child}_day CHECK ({column} >= {from} AND {column} < {to}));
ALTER TABLE {parent} ATTACH PARTITION {child} FOR VALUES FROM ({from}) TO ({to});
ALTER TABLE {child} DROP CONSTRAINT {child}_day
