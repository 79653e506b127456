-- The tables of the demo's workload: an order shop, small enough to fill in seconds.
-- No parameters. Run in the database "shop".
CREATE TABLE branch (id int PRIMARY KEY, balance bigint NOT NULL, note text);
CREATE TABLE account (id int PRIMARY KEY, branch int NOT NULL REFERENCES branch, balance bigint NOT NULL,
    owner text NOT NULL, filler text NOT NULL);
CREATE TABLE orders (id bigserial PRIMARY KEY, account int NOT NULL, amount numeric(10, 2) NOT NULL,
    state text NOT NULL, made timestamptz NOT NULL DEFAULT now());
CREATE INDEX orders_account ON orders (account);
INSERT INTO branch SELECT i, 0, 'branch ' || i FROM generate_series(1, 10) i;
INSERT INTO account SELECT i, 1 + i % 10, 0, 'owner ' || md5(i::text), repeat(md5(i::text), 4)
    FROM generate_series(1, 100000) i;
INSERT INTO orders (account, amount, state, made)
    SELECT 1 + (i * 7919) % 100000, (i % 9973) / 10.0, (ARRAY['new', 'paid', 'sent', 'done'])[1 + i % 4],
        now() - i * interval '1 second' FROM generate_series(1, 200000) i;
ANALYZE;
