-- The wide table of a relation. {table}, {columns}: definitions, each with a comma before it; {partition}: how it is divided.
CREATE TABLE {table} (t TIMESTAMPTZ NOT NULL, grp BIGINT NOT NULL, object BIGINT, reset BOOLEAN{columns}) {partition};
CREATE INDEX {table}_by_group ON {table} (grp, t)
