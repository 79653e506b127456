-- What each collector has in the dictionary. No parameters. Columns: collector, texts, bytes.
SELECT collector, count(*), sum(bytes)::bigint FROM ts_text_key WHERE collector IS NOT NULL GROUP BY collector
