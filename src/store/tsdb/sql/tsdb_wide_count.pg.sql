-- Days or wide tables changed. No parameters.
UPDATE ts_state SET wide = wide + 1
