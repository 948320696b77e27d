CREATE TABLE timer (
	id       TEXT NOT NULL PRIMARY KEY,
	kind     TEXT NOT NULL,
	due      BIGINT NOT NULL,
	body     TEXT,
	attempts BIGINT NOT NULL,
	node     TEXT NOT NULL,
	fence    BIGINT NOT NULL,
	until    BIGINT NOT NULL,
	error    TEXT NOT NULL
);
CREATE INDEX timer_due ON timer (due, id);

CREATE TABLE lease (
	name  TEXT NOT NULL PRIMARY KEY,
	node  TEXT NOT NULL,
	fence BIGINT NOT NULL,
	until BIGINT NOT NULL
);

ALTER TABLE head ADD COLUMN fence BIGINT NOT NULL DEFAULT 0;
