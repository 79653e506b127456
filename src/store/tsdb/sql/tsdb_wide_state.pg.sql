-- Whether wide tables or days changed. No parameters. Columns: wide.
SELECT wide FROM ts_state
