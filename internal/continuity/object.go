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

// Put is a change that sets an object, whatever there is; nil deletes it.
func Put(kind, id, service, action string, v any) Change {
	if v == nil {
		return Change{Kind: kind, ID: id, Service: service, Version: VersionAny, Action: action}
	}
	return Set(kind, id, service, VersionAny, action, "", v)
}

// Set is a change that makes an object v where it still has the version; a reason may
// be empty.
func Set(kind, id, service string, version int64, action, reason string, v any) Change {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // it is made of texts and times
	}
	return Change{Kind: kind, ID: id, Service: service, Version: version, Body: body, Action: action, Reason: reason}
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
