-- TimescaleDB drops what is older. {schema} of its functions, {table}, {from}: a timestamptz.
SELECT {schema}.drop_chunks('{table}', older_than => {from}::timestamptz)
