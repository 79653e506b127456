-- First days whose readings were not removed, as a tier file knows them. No parameters. Columns: raw_fast, raw_slow; days since 1970-01-01.
SELECT raw_fast, raw_slow FROM state
