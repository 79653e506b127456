-- What the monitoring needs, and nothing more. Run in the database "postgres".
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
CREATE ROLE pga LOGIN CONNECTION LIMIT 5;
GRANT pg_monitor TO pga;
