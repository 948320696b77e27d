package app

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/identity"
	"holdfast/internal/ledger"
	"holdfast/internal/problem"
	"holdfast/internal/sensitive"
	"holdfast/internal/view"
)

var errNoView = errors.New("app: the view is not open")

// catchUp is how long an answer waits for the view to know what was done
// before it was asked.
const catchUp = 2 * time.Second

// mostLater bounds how many later records of a key are named.
const mostLater = 20

func counters(l *ledger.Ledger, id string) api.Counters {
	c := l.Counters(id)
	return api.Counters{
		Accepted: c.Accepted, DeliveredAtOnce: c.DeliveredAtOnce, DeliveredAfterDoubt: c.DeliveredAfterDoubt, Refused: c.Refused,
		Dead: c.Dead, Discarded: c.Discarded, Queued: c.Queued, Attempting: c.Attempting, InDoubt: c.InDoubt, Parked: c.Parked,
		Pending: c.Pending(), PendingBytes: c.PendingBytes, Told: c.Told, Recorded: c.Recorded, Amounts: sums(c.Sums), Oldest: c.OldestAge.Seconds(), Balanced: c.Balanced(),
	}
}

func (a *App) viewState() api.ViewState {
	if a.view == nil {
		return api.ViewState{}
	}
	lag := a.view.Lag()
	s := api.ViewState{Open: true, Position: lag.Position, Behind: lag.Behind, Partial: lag.Partial, Lag: lag.Age.Seconds()}
	if lag.Trouble != nil {
		s.Error = lag.Trouble.Error()
	}
	return s
}

// viewed returns the view, once it knows what was durable when it was asked
// for; it is not waited for long.
func (d *desk) viewed(ctx context.Context) (*view.View, error) {
	if err := d.usable(); err != nil {
		return nil, err
	}
	if d.view == nil {
		return nil, errNoView
	}
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	_ = d.view.Wait(ctx, d.journal.End()) // an answer that lags says so
	return d.view, nil
}

// Find implements api.Records.
func (d *desk) Find(ctx context.Context, prefix string, limit int) ([]continuity.Receipt, error) {
	v, err := d.viewed(ctx)
	if err != nil {
		return nil, err
	}
	found, err := v.Find(ctx, prefix)
	if errors.Is(err, view.ErrPrefix) {
		return nil, invalid("api.invalid.receipt", "text", prefix)
	}
	return found[:min(len(found), limit)], err
}

// List implements api.Records.
func (d *desk) List(ctx context.Context, q api.Query) (api.Page[api.Record], error) {
	v, err := d.viewed(ctx)
	if err != nil {
		return api.Page[api.Record]{}, err
	}
	f := view.Filter{Route: q.Route, States: q.States, Limit: q.Limit, After: q.Cursor}
	if q.Key != "" {
		if q.Route == "" {
			return api.Page[api.Record]{}, invalid("api.invalid.key-route")
		}
		f.Key, f.HasKey = d.hasher.KeyTag(q.Route, q.Key), true
	}
	if q.Key == "" && slices.Contains(q.States, continuity.Delivered) {
		return api.Page[api.Record]{}, invalid("api.invalid.delivered")
	}
	page, err := v.Backlog(ctx, f)
	if continuity.CodeOf(err) == continuity.CodeInvalid {
		return api.Page[api.Record]{}, invalid("api.invalid.cursor")
	}
	if err != nil {
		return api.Page[api.Record]{}, err
	}
	out := api.Page[api.Record]{Items: make([]api.Record, 0, len(page.Rows)), Next: page.Next, View: d.viewState()}
	for i := range page.Rows {
		out.Items = append(out.Items, d.listed(&page.Rows[i]))
	}
	return out, nil
}

func (d *desk) listed(r *view.Row) api.Record {
	out := api.Record{
		Receipt: r.Receipt.String(), Route: r.Route, State: r.State.String(), Reason: string(r.Reason), Version: r.Version, Attempts: r.Attempts,
		Method: r.Method, Size: r.Size, Doubted: r.Doubted, AcceptedAt: r.AcceptedWall, Age: d.age(r.AcceptedAt),
	}
	if !r.Replaces.IsZero() {
		out.Replaces = r.Replaces.String()
	}
	out.Status, out.Told, out.Proposed = r.Status, r.Told, d.proposed(r.Receipt)
	return out
}

// age is how much running time has passed since.
func (d *desk) age(since continuity.Clock) float64 {
	return float64(max(int64(d.ledger.Clock())-int64(since), 0)) / 1000 // #nosec G115 -- milliseconds
}

// found is a record as ledger and journal know it.
func (d *desk) found(r continuity.Receipt) (ledger.Status, *continuity.Record, error) {
	if err := d.usable(); err != nil {
		return ledger.Status{}, nil, err
	}
	st, ok := d.ledger.Status(r)
	if !ok {
		return st, nil, continuity.E(continuity.CodeNotFound, nil, "receipt", r.Short())
	}
	rec, err := d.ledger.Record(st.Position)
	return st, rec, err
}

// Record implements api.Records. State and version come from the ledger, the
// history from the view.
func (d *desk) Record(ctx context.Context, r continuity.Receipt) (api.Record, error) {
	st, rec, err := d.found(r)
	if err != nil {
		return api.Record{}, err
	}
	out := api.Record{
		Receipt: r.String(), Route: rec.Route, State: st.State.String(), Reason: string(st.Reason), Version: st.Version, Attempts: st.Attempts,
		Key: sensitive.Mask(rec.KeyText), Method: rec.Method, Target: d.masker(rec.Route).Target(rec.Target), Size: st.Size, BodySize: int64(len(rec.Body)), Doubted: st.Doubted,
		ContentType: http1.Get(rec.Header, "Content-Type"),
	}
	for _, f := range rec.Header {
		out.HeaderFields = append(out.HeaderFields, f.Name)
	}
	if !rec.Replaces.IsZero() {
		out.Replaces = rec.Replaces.String()
	}
	switch {
	case rec.Expired:
		out.Gone = "retention"
	case rec.Erased:
		out.Gone = "erased"
	}
	out.Told, out.Proposed = st.Told, d.proposed(r)
	if !rec.Again.IsZero() {
		out.Again = rec.Again.String()
	}
	if !rec.Amount.IsZero() {
		out.Amount = rec.Amount.String()
	}
	if st.State.Pending() {
		out.Age = d.age(st.AcceptedAt)
		if now := d.ledger.Clock(); st.NotBefore > now {
			out.NextAttempt = float64(st.NotBefore-now) / 1000
		}
	}
	out.Response = d.response(st, rec.Route)
	v, err := d.viewed(ctx)
	if err != nil {
		return out, nil // what the ledger knows is worth having without a history
	}
	row, history, _, err := v.Show(ctx, r)
	if err != nil {
		return out, nil
	}
	out.AcceptedAt, out.Version, out.Attempts = row.AcceptedWall, max(out.Version, row.Version), max(out.Attempts, row.Attempts)
	out.Doubted = out.Doubted || row.Doubted
	if out.Reason == "" && row.State == st.State {
		out.Reason = string(row.Reason)
	}
	for _, e := range history {
		out.History = append(out.History, event(e))
	}
	out.LaterOfKey, err = later(ctx, v, row)
	return out, err
}

func event(e view.Event) api.Event {
	return api.Event{
		Position: e.Position, At: e.At, Kind: e.Kind.String(), State: e.State.String(), Reason: string(e.Reason), Attempt: e.Attempt,
		Status: e.Status, Verb: string(e.Verb), Person: e.Person, Why: e.Why,
	}
}

// later names records of the key that were accepted after this one and
// delivered already (rule 9.3).
func later(ctx context.Context, v *view.View, row view.Row) ([]string, error) {
	page, err := v.ByKey(ctx, row.Key, 1000)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, other := range page.Rows {
		if other.Position > row.Position && other.State == continuity.Delivered && len(out) < mostLater {
			out = append(out, other.Receipt.String())
		}
	}
	return out, nil
}

// mostShown is how much of a response's body is shown with its record.
const mostShown = 2 << 10

// masker hides what is never shown of a route's requests.
func (d *desk) masker(route string) *sensitive.Finder {
	if l := d.lane(route); l != nil {
		return sensitive.New(&l.route)
	}
	return sensitive.New(&continuity.Route{})
}

func (d *desk) response(st ledger.Status, route string) *api.Response {
	if st.Outcome == 0 {
		return nil
	}
	resp, err := d.ledger.Response(st.Outcome)
	if err != nil || resp == nil {
		return nil
	}
	out := &api.Response{Status: resp.Status, Bytes: len(resp.Body), Cut: resp.Cut}
	if utf8.Valid(resp.Body) {
		text := d.masker(route).Body(string(resp.Body))
		if len(text) > mostShown {
			text = strings.ToValidUTF8(text[:mostShown], "")
		}
		out.Body = text
	}
	return out
}

// Body implements api.Records.
func (d *desk) Body(_ context.Context, r continuity.Receipt, raw bool) ([]byte, string, error) {
	_, rec, err := d.found(r)
	if err != nil {
		return nil, "", err
	}
	if !raw && utf8.Valid(rec.Body) {
		return []byte(d.masker(rec.Route).Body(string(rec.Body))), http1.Get(rec.Header, "Content-Type"), nil
	}
	return rec.Body, http1.Get(rec.Header, "Content-Type"), nil
}

// Act implements api.Records.
func (d *desk) Act(ctx context.Context, r continuity.Receipt, req api.ActRequest) (api.ActResult, error) {
	st, rec, err := d.found(r)
	if err != nil {
		return api.ActResult{}, err
	}
	if req.Verb == continuity.VerbTold || req.Verb == continuity.VerbReject {
		return d.noted(ctx, r, rec.Route, req)
	}
	if st.State == continuity.Refused {
		return api.ActResult{}, continuity.E(continuity.CodeState, nil, problem.DetailID, "api.state.refused")
	}
	act := continuity.Act{Receipt: r, Version: req.Version, Verb: req.Verb, Person: req.Person, Why: req.Why}
	switch req.Verb {
	case continuity.VerbRetry:
		if err := d.noneLater(ctx, st, req.Later); err != nil {
			return api.ActResult{}, err
		}
	case continuity.VerbEdit:
		if act.Replacement, err = d.edited(rec, req.Body); err != nil {
			return api.ActResult{}, err
		}
	case verbApprove:
		if act, err = d.approve(r, req); err != nil {
			return api.ActResult{}, err
		}
	case continuity.VerbDiscard, continuity.VerbPark, continuity.VerbDelivered, continuity.VerbUnprocessed:
	default:
		return api.ActResult{}, invalid("api.invalid.verb", "name", string(req.Verb))
	}
	if req.Verb != continuity.VerbEdit && req.Body != nil {
		return api.ActResult{}, invalid("api.invalid.edit-body")
	}
	if act.Approver == "" && d.needsSecond(&act, rec.Amount) {
		if err := d.ledger.Propose(continuity.Proposed{Act: act, Amount: rec.Amount}); err != nil {
			return api.ActResult{}, err
		}
		out, err := d.Record(ctx, r)
		return api.ActResult{Record: out, Proposed: true}, err
	}
	if _, err := d.ledger.Act(act); err != nil {
		return api.ActResult{}, err
	}
	if act.Approver == "" {
		d.alone.add(act.Person)
	}
	if drainer := d.drainer(rec.Route); drainer != nil {
		drainer.Nudge()
	}
	out := api.ActResult{}
	if act.Replacement != nil {
		out.Replacement = act.Replacement.Receipt.String()
	}
	out.Record, err = d.Record(ctx, r)
	return out, err
}

// noneLater refuses a retry that would come after later records of its key, or
// of which nobody can tell, unless the person has seen that it would. Only what
// is dead has let others pass.
func (d *desk) noneLater(ctx context.Context, st ledger.Status, seen bool) error {
	if seen || st.State != continuity.Dead {
		return nil
	}
	if d.view == nil {
		return invalid("api.invalid.later-unknown")
	}
	waiting, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	if err := d.view.Wait(waiting, d.journal.End()); err != nil {
		return invalid("api.invalid.later-unknown")
	}
	row, _, _, err := d.view.Show(ctx, st.Receipt)
	if err != nil {
		return invalid("api.invalid.later-unknown")
	}
	found, err := later(ctx, d.view, row)
	if err != nil || len(found) == 0 {
		return err
	}
	return invalid("api.invalid.later", "list", strings.Join(found, " "))
}

// edited makes the record that takes another's place: a new identity, the same
// key, nothing else changed but the body.
func (d *desk) edited(rec *continuity.Record, body *string) (*continuity.Record, error) {
	if body == nil {
		return nil, invalid("api.invalid.edit-body")
	}
	b, err := base64.StdEncoding.DecodeString(*body)
	if err != nil {
		return nil, invalid("api.invalid.edit-base64")
	}
	if bytes.Equal(b, rec.Body) {
		return nil, invalid("api.invalid.edit-same")
	}
	l := d.lane(rec.Route)
	if l == nil {
		return nil, invalid("api.invalid.route", "name", rec.Route)
	}
	if int64(len(b)) > l.route.Hold.ItemBytes {
		return nil, continuity.E(continuity.CodeLimitItem, nil, "limit", l.route.Hold.ItemBytes)
	}
	key, _, err := identity.Read(l.route.Key, identity.Request{Target: rec.Target, Header: rec.Header, Body: b})
	if err != nil {
		return nil, err
	}
	if key != rec.KeyText {
		return nil, invalid("api.invalid.edit-key")
	}
	next := *rec
	next.Body = b
	next.IdempotencyKey = identity.RandomKey()
	next.Receipt = d.hasher.Receipt(rec.Route, rec.Caller, next.IdempotencyKey)
	next.Fingerprint = d.hasher.Fingerprint(rec.Method, rec.Target, b)
	next.Replaces, next.Lost, next.Upstream, next.Again = rec.Receipt, false, "", continuity.Receipt{}
	if reader, err := identity.NewReader(&l.route); err == nil {
		facts, err := reader.Read(identity.Request{Target: rec.Target, Header: rec.Header, Body: b})
		if err != nil {
			return nil, err
		}
		next.Amount = facts.Amount
	}
	return &next, nil
}
