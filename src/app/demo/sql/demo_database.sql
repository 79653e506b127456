-- The database of the workload. A statement of its own: it takes no transaction.
CREATE DATABASE shop
