package notices

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/outgoing/fetch"
)

// Kinds of timers.
const (
	TimerRead  = "notices.read"  // a source is to be read
	TimerRaise = "notices.raise" // what was confirmed is to be a warning, or no more
)

const (
	mostSeen    = 500 // announcements are remembered of a source
	mostChanges = 60  // proposals come of one look
	longestWait = time.Hour
	strangers   = 10 // looks of nodes that don't know the source, until it counts as gone
	failing     = 2  // failures on end, until a source counts as failing
	lookTime    = 3 * time.Minute
)

// progress is what a source's timer bears from look to look.
type progress struct {
	Print    string            `json:"print"`
	Next     json.RawMessage   `json:"next,omitempty"`
	Seen     map[string]string `json:"seen,omitempty"` // key to hash
	Read     time.Time         `json:"read,omitzero"`  // the last time that it could be
	Tried    time.Time         `json:"tried,omitzero"`
	Failures int               `json:"failures,omitempty"`
	Why      *Why              `json:"why,omitempty"`
	Left     int               `json:"left,omitempty"`
	Unknown  int               `json:"unknown,omitempty"`
}

// Why says why a source could not be read: a message of the catalogue under
// "notice.failed.", and what fills it.
type Why struct {
	ID   string         `json:"id"`
	Args map[string]any `json:"args,omitempty"`
}

func timerOf(ref string) string { return "notices/" + ref }

// Ensure schedules the sources that no timer stands for yet. A node does it that
// leads, now and then, and whenever plans change.
func (d *Desk) Ensure(ctx context.Context, lease *continuity.Lease) error {
	var missing []continuity.Timer
	for _, s := range d.specs() {
		_, err := d.o.Store.Timer(ctx, timerOf(s.Ref()))
		switch {
		case err == nil:
		case continuity.CodeOf(err) == continuity.CodeNotFound:
			missing = append(missing, continuity.Timer{ID: timerOf(s.Ref()), Kind: TimerRead, Due: d.now().Add(jitter(min(s.Every, 10*time.Second)))})
		default:
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err := d.o.Store.Commit(ctx, continuity.Batch{Actor: d.me(), Schedule: missing, Leader: lease})
	return err
}

// jitter is a share of a time, so that not all come at once.
func jitter(d time.Duration) time.Duration {
	return time.Duration(rand.Int64N(int64(d) + 1)) // #nosec G404 -- not a secret
}

// Look is the handler of TimerRead: it reads one source once.
func (d *Desk) Look(ctx context.Context, t continuity.Timer) (continuity.Batch, error) {
	ref, _ := cut(t.ID)
	var p progress
	_ = json.Unmarshal(t.Body, &p) // nothing, or of an older program: begin anew
	s, known := d.spec(ref)
	if !known {
		return d.stranger(t, p)
	}
	if p.Print != s.Print() {
		p = progress{Print: s.Print()}
	}
	now := d.now()
	p.Tried, p.Unknown = now, 0
	b := continuity.Batch{Actor: d.me()}
	due := now.Add(s.Every - s.Every/10 + jitter(s.Every/5))
	source, err := d.source(&s)
	var look Look
	if err == nil {
		reading, cancel := context.WithTimeout(ctx, lookTime)
		look, err = source.Read(reading, p.Next)
		cancel()
	}
	if err != nil {
		if ctx.Err() != nil {
			return b, ctx.Err()
		}
		due = now.Add(d.failed(&b, &s, &p, err))
	} else if err := d.took(ctx, &b, &s, &p, look, now); err != nil {
		return b, err
	}
	body, err := json.Marshal(p)
	b.Schedule = []continuity.Timer{{ID: t.ID, Kind: TimerRead, Due: due, Body: body}}
	return b, err
}

// cut returns the ref in a timer's id.
func cut(id string) (string, bool) {
	const prefix = len("notices/")
	if len(id) < prefix {
		return "", false
	}
	return id[prefix:], true
}

// stranger is asked for a source that it does not know: its plans may be behind,
// or the source is gone.
func (d *Desk) stranger(t continuity.Timer, p progress) (continuity.Batch, error) {
	b := continuity.Batch{Actor: d.me()}
	if p.Unknown++; p.Unknown > strangers {
		return b, nil
	}
	body, err := json.Marshal(p)
	b.Schedule = []continuity.Timer{{ID: t.ID, Kind: TimerRead, Due: d.now().Add(time.Minute), Body: body}}
	return b, err
}

// failed notes that a source could not be read, and says when to try again.
func (d *Desk) failed(b *continuity.Batch, s *Spec, p *progress, err error) time.Duration {
	failure := &fetch.Failure{Why: "internal"}
	if !errors.As(err, &failure) {
		d.o.Log.Error("a source of notices failed", "source", s.Ref(), "error", err)
	}
	p.Failures++
	p.Why = &Why{failure.Why, failure.Args}
	if p.Failures == failing {
		d.status(b, s, p, "failing", ActionFailing)
	}
	return max(continuity.Backoff(p.Failures, s.Every, max(s.Every, longestWait)), failure.After)
}

// status keeps that a source fails, or is read again.
func (d *Desk) status(b *continuity.Batch, s *Spec, p *progress, state, action string) {
	body, err := json.Marshal(map[string]any{"service": s.Service, "source": s.ID, "state": state, "since": d.now(), "why": p.Why})
	if err != nil { // an argument that JSON can't say
		body = []byte(`{}`)
	}
	b.Changes = append(b.Changes, continuity.Change{
		Kind: KindSource, ID: s.Ref(), Service: s.Service, Version: continuity.VersionAny, Body: body, Action: action,
	})
}

// took takes what a source had.
func (d *Desk) took(ctx context.Context, b *continuity.Batch, s *Spec, p *progress, look Look, now time.Time) error {
	if p.Failures >= failing {
		p.Why = nil
		d.status(b, s, p, "read", ActionRead)
	}
	p.Read, p.Failures, p.Why = now, 0, nil
	if look.Same {
		return nil
	}
	p.Left = look.Left
	seen, whole := map[string]string{}, true
	for i := range look.Items {
		item := &look.Items[i]
		item.tidy()
		if s.Pattern != nil && !s.Pattern.MatchString(item.Title) && !s.Pattern.MatchString(item.Text) {
			continue
		}
		hash := item.hash()
		if p.Seen[item.Key] == hash || seen[item.Key] != "" {
			seen[item.Key] = hash
			continue
		}
		if _, known := p.Seen[item.Key]; !known && (holds(p.Seen, hash) || holds(seen, hash)) {
			seen[item.Key] = hash // the same words under another name
			continue
		}
		if len(b.Changes) >= mostChanges {
			whole = false // the rest comes with the next look
			break
		}
		c, err := d.propose(ctx, s, item, hash, now)
		if err != nil {
			return err
		}
		if c != nil {
			b.Changes = append(b.Changes, *c)
		}
		seen[item.Key] = hash
	}
	if look.Whole && whole {
		for key := range p.Seen {
			if _, still := seen[key]; still {
				continue
			}
			c, err := d.gone(ctx, s, key, now)
			if err != nil {
				return err
			}
			if c != nil {
				b.Changes = append(b.Changes, *c)
			}
		}
	} else {
		for key, hash := range p.Seen {
			if _, there := seen[key]; !there && len(seen) < mostSeen {
				seen[key] = hash
			}
		}
	}
	p.Seen = seen
	if whole {
		p.Next = look.Next
	}
	return nil
}

func holds(seen map[string]string, hash string) bool {
	for _, h := range seen {
		if h == hash {
			return true
		}
	}
	return false
}

// Raise is the handler of TimerRaise: it makes a warning of what was confirmed,
// or ends it. It may happen twice and is the same then.
func (d *Desk) Raise(ctx context.Context, t continuity.Timer) (continuity.Batch, error) {
	b := continuity.Batch{Actor: d.me()}
	var id string
	if err := json.Unmarshal(t.Body, &id); err != nil {
		return b, nil
	}
	p, _, err := d.get(ctx, id)
	if err != nil || p == nil {
		return b, err
	}
	if p.State == Confirmed && p.Type == TypeWarning && p.Agreed != nil {
		text := continuity.Text{En: p.Agreed.Title, Zh: p.Agreed.Title}
		return b, d.o.Warnings.Notice(ctx, p.Agreed.By, p.Service, p.ID, p.Agreed.Level, text, p.URL)
	}
	by := d.me()
	if p.Rejected != nil {
		by = p.Rejected.By
	}
	return b, d.o.Warnings.End(ctx, by, p.Service, continuity.FromNotice, p.ID)
}
