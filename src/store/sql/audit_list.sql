-- audit_list: audit rows, newest first; an empty text is no condition.
-- $1 before this number, $2 from (ms), $3 to (ms), $4 actor, $5 begin of the action, $6 object,
-- $7 request, $8 how many
SELECT number, at_ms, actor, action, object, detail, address, request, hash, mac
FROM audit
WHERE number < $1 AND at_ms >= $2 AND at_ms <= $3 AND ($4 = '' OR actor = $4)
    AND ($5 = '' OR substr(action, 1, length($5)) = $5) AND ($6 = '' OR object = $6)
    AND ($7 = '' OR request = $7)
ORDER BY number DESC LIMIT $8;
