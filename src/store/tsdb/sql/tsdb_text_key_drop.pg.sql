-- Texts of a deleted target. $1 target.
DELETE FROM ts_text_key WHERE target = $1
