-- TimescaleDB divides it. {schema} of its functions, {table}.
SELECT {schema}.create_hypertable('{table}', 't', chunk_time_interval => interval '1 day', create_default_indexes => false)
