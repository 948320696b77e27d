package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"holdfast/internal/continuity"
	state "holdfast/internal/store"
)

// A year of events would take a control node a year, and its store, which makes
// each change durable, many minutes. So the state is exported, the events are put
// at the end of its chain in the archive (docs/formats/state.md), and that is
// restored, which looks at every link of the chain.

// historyOf puts events into a database that no node runs on.
func historyOf(file string, events int) error {
	ctx := context.Background()
	var small bytes.Buffer
	s, err := state.Open(ctx, "sqlite:"+file)
	if err != nil {
		return err
	}
	h := history{events: events, objects: map[string]*archived{}}
	if err = s.Export(ctx, &small); err == nil {
		h.seq, h.hash, err = s.LastEvent(ctx)
	}
	if closed := s.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	long := file + ".long"
	if s, err = state.Open(ctx, "sqlite:"+long); err != nil {
		return err
	}
	from, to := io.Pipe()
	h.out, h.sum = bufio.NewWriterSize(to, 1<<16), sha256.New()
	go func() { _ = to.CloseWithError(h.write(bufio.NewReader(&small))) }()
	err = s.Restore(ctx, from)
	_ = from.CloseWithError(err) // ends who writes, where reading failed
	if closed := s.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(long, file)
}

// heading, archived and link are lines of an archive.
type heading struct {
	Archive string `json:"archive"`
	Format  int    `json:"format"`
	Events  int    `json:"events"`
	Objects int    `json:"objects"`
	Timers  int    `json:"timers"`
	Fence   int64  `json:"fence"`
}

type archived struct {
	Kind    string          `json:"kind"`
	ID      string          `json:"id"`
	Service string          `json:"service,omitempty"`
	Version int64           `json:"version"`
	Body    json.RawMessage `json:"body"`
	Updated int64           `json:"updated"`
	Proof   string          `json:"proof,omitempty"`
}

type link struct {
	Seq       int64           `json:"seq"`
	At        int64           `json:"at"`
	ActorKind string          `json:"actor_kind"`
	Actor     string          `json:"actor"`
	Via       string          `json:"via"`
	Action    string          `json:"action"`
	Kind      string          `json:"kind"`
	ID        string          `json:"id"`
	Service   string          `json:"service"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after"`
	Salt      string          `json:"salt"`
	BeforeSum string          `json:"before_sum,omitempty"`
	AfterSum  string          `json:"after_sum"`
	Hash      string          `json:"hash"`
}

// history writes an archive that has more events than another one.
type history struct {
	events  int // in all
	out     *bufio.Writer
	sum     hash.Hash
	seq     int64
	hash    [32]byte
	objects map[string]*archived
	order   []*archived
}

func (h *history) put(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return h.copy(append(line, '\n'))
}

func (h *history) copy(line []byte) error {
	h.sum.Write(line)
	_, err := h.out.Write(line)
	return err
}

// write makes the archive: what the small one has, a warning of each kind of
// trouble, and verdicts of checks that changed, over the year before now.
func (h *history) write(small *bufio.Reader) error {
	first, err := small.ReadBytes('\n')
	if err != nil {
		return err
	}
	var has heading
	if err := json.Unmarshal(first, &has); err != nil {
		return err
	}
	events := make([][]byte, has.Events)
	for i := range events {
		if events[i], err = small.ReadBytes('\n'); err != nil {
			return err
		}
	}
	for range has.Objects {
		line, err := small.ReadBytes('\n')
		if err != nil {
			return err
		}
		var o archived
		if err := json.Unmarshal(line, &o); err != nil {
			return err
		}
		h.add(&o)
	}
	more, whole := h.events-has.Events, has
	for i := range min(more, controlWarnings+controlServices*controlChecks) {
		kind, id, service := about(i)
		if h.objects[kind+" "+id] == nil {
			h.add(&archived{Kind: kind, ID: id, Service: service})
		}
	}
	whole.Events, whole.Objects = h.events, len(h.order)
	if err := h.put(whole); err != nil {
		return err
	}
	for _, line := range events {
		if err := h.copy(line); err != nil {
			return err
		}
	}
	began := time.Now().Add(-controlYear)
	for i := range more {
		at := began.Add(time.Duration(i) * (controlYear / time.Duration(more))).UTC().Truncate(time.Microsecond)
		if err := h.event(at, i); err != nil {
			return err
		}
	}
	for _, o := range h.order {
		if err := h.put(o); err != nil {
			return err
		}
	}
	for range has.Timers {
		line, err := small.ReadBytes('\n')
		if err != nil {
			return err
		}
		if err := h.copy(line); err != nil {
			return err
		}
	}
	end := fmt.Sprintf("{\"sha256\":%q}\n", hex.EncodeToString(h.sum.Sum(nil)))
	if _, err := h.out.WriteString(end); err != nil {
		return err
	}
	return h.out.Flush()
}

func (h *history) add(o *archived) {
	h.objects[o.Kind+" "+o.ID] = o
	h.order = append(h.order, o)
}

// about is what an event is about: each warning once, and then the checks in turn.
func about(i int) (kind, id, service string) {
	service = serviceID(i % controlServices)
	if i < controlWarnings {
		return "warning", fmt.Sprintf("warning-%05d", i), service
	}
	return "check", checkID(service, i/controlServices%controlChecks), service
}

// event opens a warning or changes a verdict.
func (h *history) event(at time.Time, i int) error {
	kind, id, service := about(i)
	action, body := "warning.opened", []byte(nil)
	if kind == "warning" {
		var err error
		if body, err = json.Marshal(continuity.Warning{
			ID: id, Service: service, Source: "check", Level: continuity.LevelYellow, State: continuity.WarningOpen, Since: at,
			Text: continuity.Text{En: "The database answers slowly", Zh: "数据库响应缓慢"},
		}); err != nil {
			return err
		}
	} else {
		state := []string{"up", "down"}[i/(controlServices*controlChecks)%2]
		action, body = "check."+state, fmt.Appendf(nil, `{"state":%q,"since":%q}`, state, at.Format(time.RFC3339))
	}
	o := h.objects[kind+" "+id]
	e := continuity.AuditEvent{
		Seq: h.seq + 1, At: at, Actor: controlEngine, Action: action, Kind: kind, ID: id, Service: service, Before: o.Body, After: body, Prev: h.hash,
	}
	_, _ = rand.Read(e.Salt[:]) // never fails
	e.Seal()
	o.Version, o.Body, o.Updated = e.Seq, body, at.UnixMicro()
	h.seq, h.hash = e.Seq, e.Hash
	l := link{
		Seq: e.Seq, At: at.UnixMicro(), ActorKind: e.Actor.Kind, Actor: e.Actor.ID, Via: e.Actor.Via, Action: e.Action, Kind: kind, ID: id, Service: service,
		Before: e.Before, After: e.After, Salt: hex.EncodeToString(e.Salt[:]), AfterSum: hex.EncodeToString(e.AfterSum[:]), Hash: hex.EncodeToString(e.Hash[:]),
	}
	if e.Before != nil {
		l.BeforeSum = hex.EncodeToString(e.BeforeSum[:])
	}
	return h.put(l)
}
