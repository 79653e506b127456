-- data_key_list: all data keys, oldest first.
SELECT generation, wrapped, sealed, created_ms, retired_ms FROM data_key ORDER BY generation;
