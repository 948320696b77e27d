CREATE TABLE answer (
	caller   TEXT NOT NULL,
	name     TEXT NOT NULL,
	request  BYTEA NOT NULL,
	begun    BIGINT NOT NULL,
	until    BIGINT NOT NULL,
	status   BIGINT NOT NULL,
	type     TEXT NOT NULL,
	etag     TEXT NOT NULL,
	place    TEXT NOT NULL,
	body     BYTEA,
	withheld BIGINT NOT NULL,
	PRIMARY KEY (caller, name)
);
CREATE INDEX answer_begun ON answer (begun);
