package replay

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/ledger"
	"holdfast/internal/outcome"
	"holdfast/internal/upstream"
)

// asks reports whether the upstream can be asked about a doubt that would go to
// a person: one that repeating can't end, or can't end any more.
func asks(route *continuity.Route, why continuity.Reason) bool {
	return route.Identity.Lookup != nil && (why == continuity.ReasonDoubt || why == continuity.ReasonRemembersOver)
}

// lookUp asks the upstream that it was attempted at what became of a record whose doubt has lasted for
// settle (rules 4.4 and 4.5), and makes the answer durable unless it says that
// the record may be sent. why is for the person, should nothing come of it.
func (d *Drainer) lookUp(st ledger.Status, rec *continuity.Record, why continuity.Reason, failures int, sender upstream.Sender, own bool) (send bool) {
	l := d.Route.Identity.Lookup
	t := d.Route.Timeouts
	ctx := d.send
	if t.Attempt > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.Connect+2*t.Attempt)
		defer cancel()
	}
	began := time.Now()
	res, resp := upstream.SendWhole(ctx, sender, question(l, rec), outcome.DefaultLimit)
	now := time.Now()
	v, send := Answered(Case{Route: &d.Route, Claimed: st, Failures: failures, Now: now, Jitter: d.jitter()}, why, res, resp)
	if send {
		return true
	}
	switch {
	case !own:
		d.beside(&v)
	case d.send.Err() == nil:
		d.learn(st, v, res, began, now, failures)
	}
	v.Outcome.Counts = v.Counts
	d.conclude(st, v.Outcome, &res)
	return false
}

// Answered decides what the answer to a look-up makes of a record: found is
// delivered, not found is sent, unless the record's attempts are used up.
// Whatever is neither, or both, leaves it in doubt: it is asked again, as often
// as the route has attempts, and then a person decides. An upstream that can't
// be reached uses up nothing.
func Answered(c Case, why continuity.Reason, res upstream.Result, resp *continuity.Response) (v Verdict, send bool) {
	if res.Class == upstream.Clean {
		return Judge(c, res, nil), false
	}
	found := resp != nil && outcome.Holds(c.Route.Identity.Lookup.Found, resp)
	notFound := resp != nil && outcome.Holds(c.Route.Identity.Lookup.NotFound, resp)
	switch {
	case found && !notFound:
		return c.ended(continuity.Delivered, continuity.ReasonNone, nil), false
	case notFound && !found && !usedUp(c.Route, c.Failures):
		return v, true
	case notFound && !found:
		v = Verdict{Sign: Good}
		v.Outcome = continuity.Outcome{Receipt: c.Claimed.Receipt, To: continuity.Parked, Reason: continuity.ReasonPoison}
		return v, false
	}
	v = Verdict{Sign: Good, Counts: true}
	asked := time.Duration(0)
	switch {
	case res.Class == upstream.Lost:
		v.Sign = Lost
	case res.Status >= 500:
		v.Sign, asked = Failed, retryAfter(res.Header, c.Now)
	case res.Status == 429:
		v.Sign, asked = Throttled, retryAfter(res.Header, c.Now)
	}
	v.RetryAfter = asked
	v.Outcome = continuity.Outcome{Receipt: c.Claimed.Receipt, To: continuity.Parked, Reason: why}
	if !usedUp(c.Route, c.Failures+1) {
		v.Outcome.To, v.Outcome.Reason = continuity.InDoubt, c.Claimed.Reason
		v.Outcome.After = max(backoff(c.Failures+1, c.Jitter), asked)
	}
	return v, false
}

// question is the request that asks about a record. It bears the record's
// credentials, where those were kept or are made anew, and never its
// Idempotency-Key as a field: it is another request.
func question(l *continuity.Lookup, rec *continuity.Record) upstream.Attempt {
	a := upstream.Attempt{
		Method: l.Method, Target: fill(l.Target, rec, escape), Host: rec.Host,
		Header: []continuity.Field{{Name: "Accept", Value: "application/json"}}, Body: strings.NewReader(""),
		Caller: verified(rec), Scopes: rec.Scopes,
	}
	for _, f := range rec.Header {
		if strings.EqualFold(f.Name, "Authorization") || strings.EqualFold(f.Name, "Cookie") {
			a.Header = append(a.Header, f)
		}
	}
	if l.Body != "" {
		body := fill(l.Body, rec, inJSON)
		a.Header = append(a.Header, continuity.Field{Name: "Content-Type", Value: "application/json"})
		a.Body, a.Length = strings.NewReader(body), int64(len(body))
	}
	a.Header = outcome.PlainEncoding(a.Header)
	return a
}

func fill(template string, rec *continuity.Record, form func(string) string) string {
	return strings.NewReplacer("{key}", form(rec.KeyText), "{idempotency_key}", form(rec.IdempotencyKey)).Replace(template)
}

const hexDigits = "0123456789ABCDEF"

// escape makes a text part of a path or query, whatever it holds.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.', c == '~':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// inJSON makes a text part of a JSON string.
func inJSON(text string) string {
	quoted, _ := json.Marshal(text) // of a string: cannot fail
	return string(quoted[1 : len(quoted)-1])
}
