-- Drop a partition. {parent}, {child}.
ALTER TABLE {parent} DETACH PARTITION {child};
DROP TABLE {child}
