package view

import "holdfast/internal/continuity"

// schemaVersion changes with the tables and with the meaning of any column; a
// file of another version is built anew.
const schemaVersion = 2

// applicationID tells our files from other SQLite databases.
const applicationID = 0x486f6c64 // "Hold"

// The numbers in the partial indexes are states and kinds, which are part of
// the journal's format and never change. A record's id is the position of the
// entry that brought it. Its turn is its place in the order of its key: the
// position at which it joined, or, where it brings back what a restored upstream
// lost and goes before the others, that less ahead.
const schema = `
CREATE TABLE progress (
	one      INTEGER PRIMARY KEY CHECK (one = 1),
	position INTEGER NOT NULL, -- the next entry to apply
	last     INTEGER NOT NULL, -- the entry applied last, and its digest
	digest   BLOB,             -- null: nothing was applied yet
	clock    INTEGER NOT NULL, -- of that entry
	wall     INTEGER NOT NULL,
	horizon  INTEGER NOT NULL,
	whole    INTEGER NOT NULL, -- 1: it has seen the journal's beginning
	boot     TEXT    NOT NULL  -- the machine's boot in which the file was checked last
);
INSERT INTO progress VALUES (1, 0, 0, NULL, 0, 0, 0, 0, '');

CREATE TABLE route (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
);

CREATE TABLE record (
	id          INTEGER PRIMARY KEY,
	receipt     BLOB    NOT NULL,
	route       INTEGER NOT NULL,
	key         INTEGER NOT NULL,
	state       INTEGER NOT NULL,
	reason      TEXT    NOT NULL,
	version     INTEGER NOT NULL,
	attempts    INTEGER NOT NULL,
	doubted     INTEGER NOT NULL,
	position    INTEGER NOT NULL,
	outcome     INTEGER NOT NULL,
	accepted    INTEGER NOT NULL,
	first       INTEGER NOT NULL,
	last        INTEGER NOT NULL,
	ended       INTEGER NOT NULL,
	accepted_at INTEGER NOT NULL,
	ended_at    INTEGER NOT NULL,
	status      INTEGER NOT NULL,
	size        INTEGER NOT NULL,
	method      TEXT    NOT NULL,
	replaces    BLOB,
	replaced_by BLOB,
	events      INTEGER NOT NULL,
	turn        INTEGER NOT NULL,
	told        INTEGER NOT NULL -- it ended undelivered, and the customer knows
);
CREATE UNIQUE INDEX record_receipt ON record (receipt);
CREATE INDEX record_key ON record (key, turn);
CREATE INDEX record_pending ON record (route, accepted, id) WHERE state <= 4;
CREATE INDEX record_rare ON record (state, route, accepted, id) WHERE state NOT IN (1, 5);
CREATE INDEX record_outcome ON record (outcome) WHERE state IN (5, 6, 8);

CREATE TABLE event (
	record   INTEGER NOT NULL,
	slot     INTEGER NOT NULL,
	position INTEGER NOT NULL,
	kind     INTEGER NOT NULL,
	clock    INTEGER NOT NULL,
	at       INTEGER NOT NULL,
	state    INTEGER NOT NULL,
	reason   TEXT    NOT NULL,
	number   INTEGER NOT NULL, -- of the attempt
	status   INTEGER NOT NULL,
	verb     TEXT,
	person   TEXT,
	why      TEXT,
	PRIMARY KEY (record, slot)
) WITHOUT ROWID;

CREATE TABLE tally (
	route   INTEGER NOT NULL,
	state   INTEGER NOT NULL,
	doubted INTEGER NOT NULL,
	n       INTEGER NOT NULL,
	bytes   INTEGER NOT NULL,
	gone    INTEGER NOT NULL, -- ended like this and forgotten since
	PRIMARY KEY (route, state, doubted)
) WITHOUT ROWID;
`

// ahead parts the turns of records that go before the rest of their key.
const ahead = int64(1) << 62

// A record's history keeps its first and its latest events, so that a record
// that is tried for days stays small.
const (
	firstEvents  = 20
	latestEvents = 80
)

// slot is where event number n (from 0) of a record is kept.
func slot(n int) int {
	if n < firstEvents {
		return n
	}
	return firstEvents + (n-firstEvents)%latestEvents
}

// The texts above and the queries count on these numbers.
var (
	_ = [1]struct{}{}[continuity.Queued-1]
	_ = [1]struct{}{}[continuity.Parked-4]
	_ = [1]struct{}{}[continuity.Delivered-5]
	_ = [1]struct{}{}[continuity.Dead-7]
	_ = [1]struct{}{}[continuity.Discarded-8]
)
