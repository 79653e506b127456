-- In each transaction of the leader: do not stand in anybody's way for long. No parameters.
SET LOCAL lock_timeout = '200ms'
