-- Relations or columns were added or changed. No parameters.
UPDATE ts_state SET names = names + 1
