-- A text by its hash; nobody deletes it while this transaction lasts. $1 hash. Columns: id.
SELECT id FROM ts_text WHERE hash = $1 FOR KEY SHARE
