package replay

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
	"holdfast/internal/outcome"
	"holdfast/internal/upstream"
)

const (
	idempotencyHeader = "Idempotency-Key"
	// judgeBytes of a body are read even where none is kept: a verdict may
	// depend on them.
	judgeBytes = 2 << 10
	// finishTries bounds how often an outcome is offered to a full disk once
	// the Drainer has to stop.
	finishTries = 3
)

// deliver takes a claimed record through one attempt, or, where its doubt
// allows none, to its outcome.
func (d *Drainer) deliver(st ledger.Status) {
	failures := st.Failures
	why := continuity.ReasonNone
	if st.State == continuity.InDoubt {
		if o, send := Settle(&d.Route, st, d.since(st), failures); !send {
			if why = o.Reason; !asks(&d.Route, why) {
				d.conclude(st, o, nil)
				return
			}
		}
	}
	rec, err := d.Ledger.Record(st.Position)
	if err != nil {
		d.giveBack(st, "a record cannot be read", err)
		return
	}
	sender, own := d.where(rec)
	if sender == nil {
		d.conclude(st, continuity.Outcome{Receipt: st.Receipt, To: continuity.Parked, Reason: continuity.ReasonElsewhere}, nil)
		return
	}
	if why != continuity.ReasonNone && !d.lookUp(st, rec, why, failures, sender, own) {
		return
	}
	if _, err := d.Ledger.Attempt(st.Receipt); err != nil {
		d.giveBack(st, "an attempt cannot be recorded", err)
		return
	}
	d.journalWorks()
	began := time.Now()
	res, resp := d.attempt(sender, rec)
	now := time.Now()
	v := Judge(Case{Route: &d.Route, Claimed: st, Failures: failures, Now: now, Jitter: d.jitter()}, res, resp)
	v.Outcome.Counts = v.Counts
	v.Outcome.Response = cut(v.Outcome.Response, d.Route.KeepResponse)
	switch {
	case !own:
		d.beside(&v)
	case d.send.Err() == nil: // else we broke it off, which says nothing
		d.learn(st, v, res, began, now, failures)
	}
	d.conclude(st, v.Outcome, &res)
}

func (d *Drainer) since(st ledger.Status) time.Duration {
	now := d.Ledger.Outside()
	return time.Duration(now-min(st.FirstAttempt, now)) * time.Millisecond // #nosec G115 -- not negative
}

// attempt sends the record and reads the response as far as it is judged and
// kept.
func (d *Drainer) attempt(sender upstream.Sender, rec *continuity.Record) (upstream.Result, *continuity.Response) {
	t := d.Route.Timeouts
	ctx := d.send
	if t.Attempt > 0 { // the sender times the head; this bounds the body, too
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.Connect+2*t.Attempt)
		defer cancel()
	}
	header, read := headerOf(rec), max(d.Route.KeepResponse, judgeBytes)
	if b := d.Route.Verdicts.Body; b != nil {
		header, read = outcome.PlainEncoding(header), max(read, outcome.Limit(b))
	}
	return upstream.SendWhole(ctx, sender, upstream.Attempt{
		Method: rec.Method, Target: rec.Target, Host: rec.Host, Header: header,
		Length: int64(len(rec.Body)), Body: bytes.NewReader(rec.Body), Caller: verified(rec), Scopes: rec.Scopes,
	}, read)
}

// verified is the record's caller, if somebody verified it.
func verified(rec *continuity.Record) string {
	if rec.Caller == continuity.CallerPublic {
		return ""
	}
	return rec.Caller
}

// headerOf returns the record's fields with exactly its Idempotency-Key.
func headerOf(rec *continuity.Record) []continuity.Field {
	header := make([]continuity.Field, 0, len(rec.Header)+1)
	for _, f := range rec.Header {
		if !strings.EqualFold(f.Name, idempotencyHeader) {
			header = append(header, f)
		}
	}
	return append(header, continuity.Field{Name: idempotencyHeader, Value: rec.IdempotencyKey})
}

// cut bounds what is kept of a response, fields included.
func cut(resp *continuity.Response, keep int64) *continuity.Response {
	if resp == nil {
		return nil
	}
	kept := *resp
	room := keep
	for i, f := range kept.Header {
		if room -= int64(len(f.Name) + len(f.Value)); room < 0 {
			kept.Header, kept.Body, kept.Cut = kept.Header[:i:i], nil, true
			return &kept
		}
	}
	if int64(len(kept.Body)) > room {
		kept.Body, kept.Cut = kept.Body[:room:room], true
	}
	return &kept
}

// learn lets everybody know what the attempt says about the upstream, before
// the record's key can be claimed again.
func (d *Drainer) learn(st ledger.Status, v Verdict, res upstream.Result, began, now time.Time, failures int) {
	d.Meter.Replayed(v.Sign == Unreached || v.Sign == Lost || v.Sign == Failed)
	d.mu.Lock()
	current := !began.Before(d.entered)
	if v.Pause != "" {
		d.denied = true
	}
	if current {
		d.doubtUpstream(v.Sign, failures > 0, began, now)
	}
	d.mu.Unlock()
	if !current { // an answer to before the last switch, which knew better
		return
	}
	d.ramp.Ended(now, Ended{Began: began, Took: res.Took, Sign: v.Sign, Again: failures > 0, Asked: v.RetryAfter})
	if v.Sign != Good {
		d.Nudge()
	}
	if err := d.report(v.Sign, failures > 0); err != nil {
		d.Logger.Error("health could not switch the route", "route", d.route, "error", err)
	}
}

// report passes on what health judges by. A record that fails again says
// nothing about the others: one bad key must not take the route down.
func (d *Drainer) report(sign Sign, again bool) error {
	switch {
	case d.Health == nil:
	case sign == Good, sign == Denied:
		d.Health.Succeeded()
	case sign == Unreached:
		return d.Health.CleanFailed()
	case (sign == Lost || sign == Failed) && !again:
		return d.Health.LostAttempt()
	}
	return nil
}

// doubtUpstream moves between trust and distrust; d.mu is held. An answer
// restores trust if its attempt began after the trust was lost.
func (d *Drainer) doubtUpstream(sign Sign, again bool, began, now time.Time) {
	t := &d.distrust
	switch sign {
	case Unreached:
		if t.since.IsZero() {
			t.since = now
		}
		if began.Before(t.until) {
			return // sent before we knew
		}
		t.unreached = min(t.unreached+1, 16)
		wait := min(probeFirst<<(t.unreached-1), probeMost)
		t.until = now.Add(wait/2 + time.Duration(d.random.Float64()*float64(wait/2)))
	case Lost:
		if again {
			return
		}
		if t.lost++; t.lost >= distrustAfter && t.since.IsZero() {
			t.since = now
		}
	case Unsent:
	default:
		if t.since.IsZero() || !began.Before(t.since) {
			*t = distrust{}
		}
	}
}

// giveBack returns a record that was not attempted, and waits a little: what
// went wrong concerns the journal, not the record.
func (d *Drainer) giveBack(st ledger.Status, what string, err error) {
	if continuity.CodeOf(err) == continuity.CodeState { // somebody decided about it meanwhile
		d.Ledger.Release(st.Receipt)
		return
	}
	d.Logger.Error("replay waits: "+what, "route", d.route, "receipt", st.Receipt.Short(), "error", err)
	d.mu.Lock()
	d.journal = time.Now().Add(tickIdle)
	d.mu.Unlock()
	d.Ledger.Release(st.Receipt)
}

func (d *Drainer) journalWorks() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.journal = time.Time{}
}

// conclude has the outcome made durable and does not wait for it: the next
// record of the key can't be claimed before it is, and those of others have
// nothing to do with it. Stop does wait.
func (d *Drainer) conclude(st ledger.Status, o continuity.Outcome, res *upstream.Result) {
	d.log(st, o, res)
	d.work.Add(1)
	d.Ledger.FinishAsync(o, func(_ ledger.Status, err error) {
		if continuity.CodeOf(err) == continuity.CodeDiskFull {
			go d.insist(st, o)
			return
		}
		d.concluded(st, o, err)
		d.work.Done()
	})
}

// concluded settles what remembers the record.
func (d *Drainer) concluded(st ledger.Status, o continuity.Outcome, err error) {
	if err != nil { // after a restart the record is in doubt, as it is in truth
		d.Logger.Error("an outcome could not be recorded", "route", d.route, "receipt", o.Receipt.Short(), "error", err)
		d.Ledger.Release(o.Receipt)
		return
	}
	if o.To.Ended() {
		d.gains.out(st.Key)
	}
}

// insist offers an outcome again that a full disk did not take.
func (d *Drainer) insist(st ledger.Status, o continuity.Outcome) {
	defer d.work.Done()
	for try := 2; ; try++ {
		pause := time.NewTimer(tickIdle)
		select {
		case <-pause.C:
		case <-d.send.Done():
			pause.Stop()
		}
		_, err := d.Ledger.Finish(o)
		if continuity.CodeOf(err) != continuity.CodeDiskFull || d.send.Err() != nil && try >= finishTries {
			d.concluded(st, o, err)
			return
		}
	}
}

// log writes one event an attempt: deliveries for those who debug, the rest for
// those who run it.
func (d *Drainer) log(st ledger.Status, o continuity.Outcome, res *upstream.Result) {
	level := slog.LevelInfo
	if o.To == continuity.Delivered {
		level = slog.LevelDebug
	}
	ctx := context.Background()
	if !d.Logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("route", d.route), slog.String("receipt", st.Receipt.Short()), slog.Int("attempts", st.Attempts),
		slog.String("from", st.State.String()), slog.String("to", o.To.String()), slog.String("reason", string(o.Reason)),
		slog.Duration("after", o.After),
	}
	if res != nil {
		attrs = append(attrs, slog.Int("attempt", st.Attempts+1), slog.Int("status", res.Status), slog.Duration("took", res.Took))
		if res.Err != nil {
			attrs = append(attrs, slog.String("error", res.Err.Error()))
		}
	}
	d.Logger.LogAttrs(ctx, level, "replayed", attrs...)
}

func (d *Drainer) jitter() float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.random.Float64()
}
