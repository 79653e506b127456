-- Note in a tier file that readings of days went. $1, $2 first days that are left, of fast and of slow clocks.
UPDATE state SET raw_fast = max(raw_fast, $1), raw_slow = max(raw_slow, $2)
