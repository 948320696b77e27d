CREATE TABLE proof (
	kind TEXT NOT NULL,
	id   TEXT NOT NULL,
	hash TEXT NOT NULL,
	PRIMARY KEY (kind, id)
);

CREATE TABLE seen (
	kind TEXT NOT NULL,
	id   TEXT NOT NULL,
	at   BIGINT NOT NULL,
	PRIMARY KEY (kind, id)
);
