-- Wait until nobody writes or reads a partition. {child}.
LOCK TABLE {child} IN ACCESS EXCLUSIVE MODE
