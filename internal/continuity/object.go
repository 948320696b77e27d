package continuity

import (
	"encoding/json"
	"time"
)

// Object is a piece of the control plane's state. Its version is the number of
// the event that made it so: it grows with each change, never comes again, not
// even after a deletion, and serves as ETag.
type Object struct {
	Kind    string
	ID      string
	Service string
	Version int64
	Body    json.RawMessage
	Updated time.Time
}

// What Change.Version expects besides a version.
const (
	VersionNew int64 = 0  // there is no such object
	VersionAny int64 = -1 // whatever there is
)

// Change is what is to become of one object. Its proof, such as the hash of a
// password, is kept beside the object and goes with it, and no event bears it.
type Change struct {
	Kind    string
	ID      string
	Service string
	Version int64           // the expected one, VersionNew or VersionAny
	Body    json.RawMessage // nil: delete
	Proof   string          // a hash by which the object is proven; empty: as it was
	Action  string          // of the event, "person.left"
	Reason  string
}

// Query selects objects of one kind, by their ids.
type Query struct {
	Kind    string
	Service string // empty: all
	Cursor  string // of the page before
	Limit   int    // 0: 100; at most 1000
}

// Batch is what becomes true in one transaction, or not at all.
type Batch struct {
	Actor    Actor
	Changes  []Change
	Schedule []Timer  // made, or set anew where the id is known
	Cancel   []string // ids of timers
	Done     *Timer   // claimed, and over with this batch; lost: nothing of it happens
	Leader   *Lease   // held; lost: nothing of the batch happens
}
