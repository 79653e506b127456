-- One copy at a time into a database. The key spells "pgacopy". Columns: 1 or 0.
SELECT pg_catalog.pg_try_advisory_lock(31638865369329785)::int AS held
