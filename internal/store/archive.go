package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
	"time"

	"holdfast/internal/continuity"
)

// An archive is lines of JSON, documented in docs/formats/state.md: a heading,
// the events, the objects, the timers, and the sum of all that.

const (
	archiveName   = "holdfast state"
	archiveFormat = 1
	longestLine   = 64 << 20
)

type archiveHeading struct {
	Archive string `json:"archive"`
	Format  int    `json:"format"`
	Events  int64  `json:"events"`
	Objects int64  `json:"objects"`
	Timers  int64  `json:"timers"`
	Fence   int64  `json:"fence"`
}

type archiveEvent struct {
	Seq       int64           `json:"seq"`
	At        int64           `json:"at"`
	ActorKind string          `json:"actor_kind"`
	Actor     string          `json:"actor"`
	Via       string          `json:"via,omitempty"`
	Action    string          `json:"action"`
	Kind      string          `json:"kind"`
	ID        string          `json:"id"`
	Service   string          `json:"service,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
	Salt      string          `json:"salt,omitempty"`
	BeforeSum string          `json:"before_sum,omitempty"`
	AfterSum  string          `json:"after_sum,omitempty"`
	Hash      string          `json:"hash"`
}

type archiveObject struct {
	Kind    string          `json:"kind"`
	ID      string          `json:"id"`
	Service string          `json:"service,omitempty"`
	Version int64           `json:"version"`
	Body    json.RawMessage `json:"body"`
	Updated int64           `json:"updated"`
	Proof   string          `json:"proof,omitempty"`
}

type archiveTimer struct {
	ID       string          `json:"id"`
	Kind     string          `json:"kind"`
	Due      int64           `json:"due"`
	Body     json.RawMessage `json:"body,omitempty"`
	Attempts int             `json:"attempts"`
	Fence    int64           `json:"fence"`
	Error    string          `json:"error,omitempty"`
}

type archiveEnd struct {
	SHA256 string `json:"sha256"`
}

// lines writes lines of JSON and sums them up.
type lines struct {
	out io.Writer
	sum hash.Hash
	buf bytes.Buffer
}

func (l *lines) put(v any) error {
	l.buf.Reset()
	enc := json.NewEncoder(&l.buf)
	enc.SetEscapeHTML(false) // bodies stay as they are, byte by byte
	if err := enc.Encode(v); err != nil {
		return err
	}
	l.sum.Write(l.buf.Bytes())
	_, err := l.out.Write(l.buf.Bytes())
	return err
}

// Export writes all state as of one moment. The same state gives the same bytes.
func (s *Store) Export(ctx context.Context, to io.Writer) error {
	out := bufio.NewWriterSize(to, 1<<16)
	l := &lines{out: out, sum: sha256.New()}
	err := s.snapshot(ctx, func(c conn) error {
		h := archiveHeading{Archive: archiveName, Format: archiveFormat}
		err := c.row(ctx, `SELECT (SELECT COUNT(*) FROM event), (SELECT COUNT(*) FROM object), (SELECT COUNT(*) FROM timer), fence FROM head WHERE one = 1`).
			Scan(&h.Events, &h.Objects, &h.Timers, &h.Fence)
		if err != nil {
			return err
		}
		if err := l.put(h); err != nil {
			return err
		}
		err = c.each(ctx, func(scan func(...any) error) error {
			e, err := scanEvent(scan)
			if err != nil {
				return err
			}
			return l.put(toArchive(e))
		}, `SELECT `+eventColumns+` FROM event ORDER BY seq`)
		if err != nil {
			return err
		}
		err = c.each(ctx, func(scan func(...any) error) error {
			var o archiveObject
			var body []byte
			if err := scan(&o.Kind, &o.ID, &o.Service, &o.Version, &body, &o.Updated, &o.Proof); err != nil {
				return err
			}
			o.Body = body
			return l.put(o)
		}, `SELECT o.kind, o.id, o.service, o.version, o.body, o.updated, COALESCE(p.hash, '')
			FROM object o LEFT JOIN proof p ON p.kind = o.kind AND p.id = o.id ORDER BY o.kind, o.id`)
		if err != nil {
			return err
		}
		return c.each(ctx, func(scan func(...any) error) error {
			t, err := scanTimer(scan)
			if err != nil {
				return err
			}
			return l.put(archiveTimer{t.ID, t.Kind, t.Due.UnixMicro(), t.Body, t.Attempts, t.Fence, t.Error})
		}, `SELECT `+timerColumns+` FROM timer ORDER BY id`)
	})
	if err != nil {
		return err
	}
	if err := l.put(archiveEnd{hex.EncodeToString(l.sum.Sum(nil))}); err != nil {
		return err
	}
	return out.Flush()
}

func toArchive(e continuity.AuditEvent) archiveEvent {
	a := archiveEvent{
		Seq: e.Seq, At: e.At.UnixMicro(), ActorKind: e.Actor.Kind, Actor: e.Actor.ID, Via: e.Actor.Via, Action: e.Action,
		Kind: e.Kind, ID: e.ID, Service: e.Service, Reason: e.Reason, Before: e.Before, After: e.After, Hash: hex.EncodeToString(e.Hash[:]),
	}
	if !e.Erased {
		a.Salt = hex.EncodeToString(e.Salt[:])
	}
	if e.BeforeSum != [32]byte{} {
		a.BeforeSum = hex.EncodeToString(e.BeforeSum[:])
	}
	if e.AfterSum != [32]byte{} {
		a.AfterSum = hex.EncodeToString(e.AfterSum[:])
	}
	return a
}

func fromArchive(a archiveEvent, prev [32]byte) (e continuity.AuditEvent, ok bool) {
	e = continuity.AuditEvent{
		Seq: a.Seq, At: time.UnixMicro(a.At).UTC(), Actor: continuity.Actor{Kind: a.ActorKind, ID: a.Actor, Via: a.Via}, Action: a.Action,
		Kind: a.Kind, ID: a.ID, Service: a.Service, Reason: a.Reason, Before: a.Before, After: a.After, Prev: prev, Erased: a.Salt == "",
	}
	ok = bytesOf(e.Hash[:], a.Hash) && (e.Erased || bytesOf(e.Salt[:], a.Salt)) &&
		(a.BeforeSum == "" || bytesOf(e.BeforeSum[:], a.BeforeSum)) && (a.AfterSum == "" || bytesOf(e.AfterSum[:], a.AfterSum))
	return e, ok
}

// bytesOf reads exactly as many bytes as there is room for.
func bytesOf(into []byte, text string) bool {
	b, err := hex.DecodeString(text)
	return err == nil && copy(into, b) == len(into) && len(b) == len(into)
}
