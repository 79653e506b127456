-- In each transaction of the leader: do not stand in anybody's way for long, nor when the process sleeps. No parameters.
SELECT pg_catalog.set_config('lock_timeout', '200ms', true) AS waits,
    pg_catalog.set_config('idle_in_transaction_session_timeout', '5s', true) AS sleeps
