-- collector_slot_purge: forget old slots.
-- $1 before (slot)
DELETE FROM collector_slot WHERE slot < $1;
