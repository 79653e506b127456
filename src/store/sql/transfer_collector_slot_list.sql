-- A page of table collector_slot. After $1 collector_id, $2 slot; $3 how many at most.
SELECT collector_id, slot, samples
FROM collector_slot
WHERE (collector_id, slot) > ($1, $2)
ORDER BY collector_id, slot LIMIT $3
