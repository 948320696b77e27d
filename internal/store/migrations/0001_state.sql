CREATE TABLE object (
	kind    TEXT NOT NULL,
	id      TEXT NOT NULL,
	service TEXT NOT NULL,
	version BIGINT NOT NULL,
	body    TEXT NOT NULL,
	updated BIGINT NOT NULL,
	PRIMARY KEY (kind, id)
);
CREATE INDEX object_service ON object (kind, service, id);

CREATE TABLE event (
	seq        BIGINT NOT NULL PRIMARY KEY,
	at         BIGINT NOT NULL,
	actor_kind TEXT NOT NULL,
	actor      TEXT NOT NULL,
	via        TEXT NOT NULL,
	action     TEXT NOT NULL,
	kind       TEXT NOT NULL,
	id         TEXT NOT NULL,
	service    TEXT NOT NULL,
	reason     TEXT NOT NULL,
	was        TEXT,
	became     TEXT,
	salt       BYTEA,
	was_sum    BYTEA,
	became_sum BYTEA,
	prev       BYTEA NOT NULL,
	hash       BYTEA NOT NULL
);
CREATE INDEX event_at ON event (at, seq);
CREATE INDEX event_object ON event (kind, id, at, seq);
CREATE INDEX event_service ON event (service, at, seq);
CREATE INDEX event_actor ON event (actor, at, seq);
CREATE INDEX event_action ON event (action, at, seq);

CREATE TABLE head (
	one  BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
	seq  BIGINT NOT NULL,
	hash BYTEA
);
INSERT INTO head (one, seq) VALUES (1, 0);
