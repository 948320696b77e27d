package evidence

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"holdfast/internal/continuity"
)

// Format is the kind and version of the file.
const Format = "holdfast/evidence@1"

// The files in it, in their order.
const (
	manifestFile  = "manifest.json"
	signatureFile = "manifest.sig"
	eventsFile    = "events.jsonl"
	chainFile     = "chain.jsonl"
	objectsFile   = "objects.jsonl"
)

// Bounds of one file of evidence.
const (
	MostEvents  = 50_000
	MostLinks   = 200_000
	MostObjects = 20_000
	mostBytes   = 64 << 20 // of one of its files
)

// Kinds are the kinds of objects below an incident that are evidence. None of them
// bears a secret.
func Kinds() []string {
	return []string{
		continuity.KindIncident, continuity.KindTask, continuity.KindDecision, continuity.KindSituation, continuity.KindUpdate, continuity.KindResource,
		continuity.KindNote, continuity.KindRun, continuity.KindNotification, continuity.KindDelivery, continuity.KindSpoken, KindExport,
	}
}

// KindExport is the kind of objects that note that evidence was handed out.
const KindExport = "evidence"

// Export notes who got evidence of an incident, and which.
type Export struct {
	ID       string           `json:"id"` // below the incident's
	Incident string           `json:"incident"`
	Service  string           `json:"service"`
	By       continuity.Actor `json:"by"`
	At       time.Time        `json:"at"`
	Sum      string           `json:"sha256"` // of the file
	Key      string           `json:"key"`    // fingerprint of the node's
}

// Case is what is sealed.
type Case struct {
	Incident string
	Service  string
	Made     time.Time
	By       continuity.Actor
	Node     string
	Program  string
	Events   []continuity.AuditEvent // the oldest first
	Links    []Link                  // of all events from the first of those to the last
	Objects  []continuity.Object
	Left     int      // what did not fit
	Hidden   []string // people's addresses: each is masked wherever it stands
}

// Link is one event's place in the chain of all.
type Link struct {
	Seq  int64  `json:"seq"`
	Prev digest `json:"prev"`
	Hash digest `json:"hash"`
}

// LinkOf is an event's place in the chain.
func LinkOf(e *continuity.AuditEvent) Link { return Link{e.Seq, e.Prev, e.Hash} }

type digest [32]byte

// MarshalText implements encoding.TextMarshaler.
func (d digest) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(d[:])), nil }

var errDigest = errors.New("evidence: not a sum")

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *digest) UnmarshalText(text []byte) error {
	if n, err := hex.Decode(d[:], text); err != nil || n != len(d) || len(text) != 2*len(d) {
		return errDigest
	}
	return nil
}

// event is an event as it stands in the file.
type event struct {
	Seq     int64            `json:"seq"`
	At      time.Time        `json:"at"`
	Actor   continuity.Actor `json:"actor"`
	Action  string           `json:"action"`
	Kind    string           `json:"kind"`
	ID      string           `json:"id"`
	Service string           `json:"service,omitempty"`
	Reason  string           `json:"reason,omitempty"`

	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`
	Salt   string          `json:"salt,omitempty"`

	BeforeSum digest `json:"before_sum"`
	AfterSum  digest `json:"after_sum"`
	Erased    bool   `json:"erased,omitempty"`
	Masked    bool   `json:"masked,omitempty"`  // in its contents: their sums stand for what they were
	Blurred   bool   `json:"blurred,omitempty"` // in its head: its hash can't be made anew
	Prev      digest `json:"prev"`
	Hash      digest `json:"hash"`
}

func (m *masking) event(e *continuity.AuditEvent) event {
	out := event{
		Seq: e.Seq, At: e.At.UTC(), Actor: e.Actor, Action: e.Action, Kind: e.Kind, ID: e.ID, Service: e.Service, Reason: e.Reason,
		BeforeSum: e.BeforeSum, AfterSum: e.AfterSum, Erased: e.Erased, Prev: e.Prev, Hash: e.Hash,
	}
	reason, blurred := m.text(e.Reason)
	before, one := m.json(e.Before)
	after, other := m.json(e.After)
	out.Reason, out.Blurred, out.Masked = reason, blurred, one || other
	out.Before, out.After = before, after
	if !out.Masked && !e.Erased {
		out.Salt = base64.StdEncoding.EncodeToString(e.Salt[:])
	}
	return out
}

// intact reports whether an event is what stood in the chain, as far as can be told.
func (e *event) intact() bool {
	if e.Blurred {
		return true // the manifest vouches for it, and the link for its hash
	}
	a := continuity.AuditEvent{
		Seq: e.Seq, At: e.At, Actor: e.Actor, Action: e.Action, Kind: e.Kind, ID: e.ID, Service: e.Service, Reason: e.Reason,
		BeforeSum: e.BeforeSum, AfterSum: e.AfterSum, Prev: e.Prev, Hash: e.Hash,
	}
	if e.Masked || e.Erased {
		a.Erased = true // its contents can't be told; the rest can
		return a.Intact()
	}
	salt, err := base64.StdEncoding.DecodeString(e.Salt)
	if err != nil || len(salt) != len(a.Salt) {
		return false
	}
	copy(a.Salt[:], salt)
	a.Before, a.After = e.Before, e.After
	return a.Intact()
}

// object is an object as it stands in the file.
type object struct {
	Kind    string          `json:"kind"`
	ID      string          `json:"id"`
	Service string          `json:"service,omitempty"`
	Version int64           `json:"version"`
	Updated time.Time       `json:"updated"`
	Body    json.RawMessage `json:"body"`
	Masked  bool            `json:"masked,omitempty"`
}

// manifest says what is in the file.
type manifest struct {
	Format   string           `json:"format"`
	Incident string           `json:"incident"`
	Service  string           `json:"service"`
	Made     time.Time        `json:"made"`
	By       continuity.Actor `json:"by"`
	Node     string           `json:"node"`
	Program  string           `json:"program"`
	Key      string           `json:"key"` // the public one, base64
	Events   int              `json:"events"`
	Objects  int              `json:"objects"`
	Links    int              `json:"links"`
	Whole    bool             `json:"chain_whole"` // all events between the first and the last are linked
	Left     int              `json:"left_out,omitempty"`
	Files    []file           `json:"files"`
}

type file struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Sum  digest `json:"sha256"`
}

// whole reports whether links go on without a gap from the first event to the last.
func whole(links []Link, events []event) bool {
	if len(events) == 0 {
		return true
	}
	first, last := events[0].Seq, events[len(events)-1].Seq
	return len(links) > 0 && links[0].Seq == first && links[len(links)-1].Seq == last && int64(len(links)) == last-first+1
}

// linked reports whether links follow each other, and each event is the one of its
// link.
func linked(links []Link, events []event) bool {
	for i := 1; i < len(links); i++ {
		if links[i].Seq != links[i-1].Seq+1 || links[i].Prev != links[i-1].Hash {
			return false
		}
	}
	for i := range events {
		if i > 0 && events[i].Seq <= events[i-1].Seq {
			return false
		}
		n, found := slices.BinarySearchFunc(links, events[i].Seq, func(l Link, seq int64) int { return int(l.Seq - seq) })
		if found && (links[n].Hash != events[i].Hash || links[n].Prev != events[i].Prev) {
			return false
		}
	}
	return true
}
