-- Whether groups say who sent them first: not in a store of an older program. No parameters. Columns: found.
SELECT count(*) AS found FROM pragma_table_info('grp') WHERE name = 'collector'
