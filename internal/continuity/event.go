package continuity

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"time"
)

// ActorEngine is the kind of Holdfast's own engines, whose reasons are codes of the
// catalogue.
const ActorEngine = "engine"

// Actor is who changed something: a person by the API, a program by a token,
// or Holdfast itself.
type Actor struct {
	Kind string `json:"kind"` // user, token, engine, system
	ID   string `json:"id"`
	Via  string `json:"via,omitempty"` // api, cli, console, a node's name
}

// AuditEvent is one change of state, which never changes itself. Its hash covers
// the hash of the event before it, so that the events form one chain.
type AuditEvent struct {
	Seq     int64 // 1, 2, 3, without gaps
	At      time.Time
	Actor   Actor
	Action  string // "plan.applied"
	Kind    string // the object that changed
	ID      string
	Service string
	Reason  string
	Before  json.RawMessage // nil: there was no such object
	After   json.RawMessage // nil: it was deleted

	// The hash covers sums of Before and After and not their bytes, so that the
	// content can be erased while the chain holds; the salt, which goes with it,
	// keeps the sums from telling what was short.
	Salt      [16]byte
	BeforeSum [32]byte // zero where there was nothing
	AfterSum  [32]byte
	Erased    bool // content and salt are gone for a person's sake

	Prev [32]byte
	Hash [32]byte
}

// Seal fills the sums and the hash of an event whose other fields are set.
func (e *AuditEvent) Seal() {
	e.BeforeSum, e.AfterSum = e.contentSums()
	e.Hash = e.chainHash()
}

// Intact says whether the event is what was sealed. It says nothing about the
// events around it.
func (e *AuditEvent) Intact() bool {
	if e.Erased {
		return e.Before == nil && e.After == nil && e.Salt == [16]byte{} && e.Hash == e.chainHash()
	}
	before, after := e.contentSums()
	return before == e.BeforeSum && after == e.AfterSum && e.Hash == e.chainHash()
}

func (e *AuditEvent) contentSums() (before, after [32]byte) {
	return e.contentSum("before", e.Before), e.contentSum("after", e.After)
}

func (e *AuditEvent) contentSum(side string, content json.RawMessage) (sum [32]byte) {
	if content == nil {
		return sum
	}
	h := sha256.New()
	h.Write([]byte("holdfast content 1 " + side + "\n"))
	h.Write(e.Salt[:])
	h.Write(content)
	h.Sum(sum[:0])
	return sum
}

// chainHash is documented in docs/formats/events.md.
func (e *AuditEvent) chainHash() (sum [32]byte) {
	b := make([]byte, 0, 512)
	b = append(b, "holdfast event 1\n"...)
	b = append(b, e.Prev[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Seq))
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMicro()))
	for _, s := range []string{e.Actor.Kind, e.Actor.ID, e.Actor.Via, e.Action, e.Kind, e.ID, e.Service, e.Reason} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	b = append(b, e.BeforeSum[:]...)
	b = append(b, e.AfterSum[:]...)
	return sha256.Sum256(b)
}

// EventQuery selects events by time, the newest first, where nothing else is
// said. Empty fields select all.
type EventQuery struct {
	Service string
	Kind    string
	ID      string   // with Kind
	Under   string   // with Kinds: an id, for what has it or one below it, as X and X.task-1
	Kinds   []string // with Under
	Actor   string   // its ID
	Action  string
	After   time.Time // at or after
	Before  time.Time // before
	Oldest  bool      // the oldest first
	Cursor  string    // of the page before
	Limit   int       // 0: 100; at most 1000
}
