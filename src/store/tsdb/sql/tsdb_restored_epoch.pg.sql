-- A restored store is another one: agents offer again what they hold. $1 epoch (16 bytes).
UPDATE ts_state SET epoch = $1
