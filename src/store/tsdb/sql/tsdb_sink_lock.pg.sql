-- Targets go to the control plane from one node at a time; a ticket for it. The key spells "pgatarge". Columns: ticket.
SELECT nextval(pg_catalog.pg_get_serial_sequence('ts_journal', 'lsn')) AS ticket FROM pg_catalog.pg_advisory_xact_lock(8099549607328114533)
