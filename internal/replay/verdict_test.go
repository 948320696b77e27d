package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/ledger"
	"holdfast/internal/upstream"
)

const (
	testSettle = 30 * time.Second
	testReach  = 3 * time.Second // connect and attempt
)

func testRoute(change ...func(*continuity.Route)) *continuity.Route {
	r := &continuity.Route{
		ID:           "orders",
		Identity:     continuity.Identity{By: continuity.IdempotentKey, Remembers: 24 * time.Hour},
		Hold:         continuity.Hold{State: continuity.HoldOn, Age: 24 * time.Hour},
		Ramp:         continuity.Ramp{Start: 0.1, Window: 10 * time.Second, Aggression: 1, InFlight: 16},
		Timeouts:     continuity.Timeouts{Connect: time.Second, Attempt: 2 * time.Second},
		Settle:       testSettle,
		Poison:       continuity.Poison{Attempts: 5},
		KeepResponse: 4 << 10,
		Capacity:     1000,
	}
	for _, c := range change {
		c(r)
	}
	return r
}

func only(status int) []continuity.StatusRange {
	return []continuity.StatusRange{{Low: status, High: status}}
}

func header(pairs ...string) []continuity.Field {
	var h []continuity.Field
	for i := 0; i < len(pairs); i += 2 {
		h = append(h, continuity.Field{Name: pairs[i], Value: pairs[i+1]})
	}
	return h
}

// wanted is the part of a verdict that a row of the table states.
type wanted struct {
	To     continuity.State
	Reason continuity.Reason
	After  time.Duration
	Sign   Sign
	Counts bool
	All    time.Duration // every key is asked to wait
	Pause  continuity.Reason
	Kept   bool // the response is
}

func got(v Verdict) wanted {
	return wanted{
		To: v.Outcome.To, Reason: v.Outcome.Reason, After: v.Outcome.After, Sign: v.Sign, Counts: v.Counts,
		All: v.RetryAfter, Pause: v.Pause, Kept: v.Outcome.Response != nil,
	}
}

var judgeNow = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

type judgeRow struct {
	name     string
	route    func(*continuity.Route)
	state    continuity.State // before the attempt; default queued
	doubted  bool
	failures int
	class    upstream.Class // default answered
	err      error          // of a class that is not answered
	status   int
	header   []continuity.Field
	body     string
	want     wanted
}

func (r judgeRow) judge() Verdict {
	route := testRoute()
	if r.route != nil {
		r.route(route)
	}
	st := ledger.Status{Receipt: continuity.Receipt{1}, State: continuity.Queued, Doubted: r.doubted}
	if r.state == continuity.InDoubt {
		st.State, st.Reason, st.Doubted = r.state, continuity.ReasonRestart, true
	}
	res := upstream.Result{Class: upstream.Answered, Status: r.status, Header: r.header}
	resp := &continuity.Response{Status: r.status, Header: r.header, Body: []byte(r.body)}
	if r.class != 0 {
		res, resp = upstream.Result{Class: r.class, Err: cmp.Or(r.err, errors.New("gone"))}, nil
	}
	return Judge(Case{Route: route, Claimed: st, Failures: r.failures, Now: judgeNow}, res, resp)
}

func runJudge(t *testing.T, rows []judgeRow) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			v := row.judge()
			if diff := gocmp.Diff(row.want, got(v)); diff != "" {
				t.Error("verdict (-want +got)\n" + diff)
			}
			if v.Outcome.Receipt != (continuity.Receipt{1}) {
				t.Error("the outcome is of another record")
			}
		})
	}
}

func TestRule2_3_EveryStatusHasItsVerdict(t *testing.T) {
	delivered := wanted{To: continuity.Delivered, Sign: Good, Kept: true}
	refused := wanted{To: continuity.Refused, Reason: continuity.ReasonRefused, Sign: Good, Kept: true}
	again := wanted{To: continuity.Queued, Reason: continuity.ReasonRetryStatus, After: 500 * time.Millisecond, Sign: Throttled, Counts: true}
	denied := wanted{To: continuity.Queued, Reason: continuity.ReasonCredentials, After: 500 * time.Millisecond, Sign: Denied, Pause: continuity.ReasonCredentials}
	doubt := wanted{To: continuity.InDoubt, Reason: continuity.ReasonServerError, After: testSettle, Sign: Failed, Counts: true}
	for status := 200; status <= 599; status++ {
		want := refused
		switch {
		case status < 300, status == 303:
			want = delivered
		case status == 408, status == 425, status == 429:
			want = again
		case status == 401, status == 403, status == 407:
			want = denied
		case status >= 500:
			want = doubt
		}
		if diff := gocmp.Diff(want, got(judgeRow{status: status}.judge())); diff != "" {
			t.Errorf("status %d (-want +got)\n%s", status, diff)
		}
	}
	for _, status := range []int{0, 100, 199, 600, 999} {
		if diff := gocmp.Diff(doubt, got(judgeRow{status: status}.judge())); diff != "" {
			t.Errorf("%d is no final status (-want +got)\n%s", status, diff)
		}
	}
}

func TestRule2_3_TriedAgainHonouringRetryAfter(t *testing.T) {
	again := func(after, all time.Duration) wanted {
		return wanted{To: continuity.Queued, Reason: continuity.ReasonRetryStatus, After: after, Sign: Throttled, Counts: true, All: all}
	}
	runJudge(t, []judgeRow{
		{name: "seconds", status: 429, header: header("retry-after", "120"), want: again(2*time.Minute, 2*time.Minute)},
		{name: "of this request alone", status: 408, header: header("Retry-After", "7"), want: again(7*time.Second, 0)},
		{name: "too early, of this request alone", status: 425, header: header("Retry-After", "7"), want: again(7*time.Second, 0)},
		{
			name: "a date against the relay's clock", status: 429,
			header: header("Retry-After", "Sat, 21 Nov 2026 12:00:40 GMT"), want: again(40*time.Second, 40*time.Second),
		},
		{
			name: "a date against the upstream's own clock", status: 429,
			header: header("Date", "Sat, 21 Nov 2026 15:00:00 GMT", "Retry-After", "Sat, 21 Nov 2026 15:00:40 GMT"),
			want:   again(40*time.Second, 40*time.Second),
		},
		{name: "a date long gone", status: 429, header: header("Retry-After", "Sat, 21 Nov 2020 12:00:00 GMT"), want: again(500*time.Millisecond, 0)},
		{name: "nonsense", status: 429, header: header("Retry-After", "soon"), want: again(500*time.Millisecond, 0)},
		{name: "negative", status: 429, header: header("Retry-After", "-5"), want: again(500*time.Millisecond, 0)},
		{name: "beyond reason", status: 429, header: header("Retry-After", "4294967295"), want: again(time.Hour, time.Hour)},
		{name: "shorter than the key's own wait", status: 429, failures: 3, header: header("Retry-After", "1"), want: again(4*time.Second, time.Second)},
		{
			name: "with a server error it outlasts settle", status: 503, header: header("Retry-After", "120"),
			want: wanted{To: continuity.InDoubt, Reason: continuity.ReasonServerError, After: 2 * time.Minute, Sign: Failed, Counts: true, All: 2 * time.Minute},
		},
	})
}

func TestRule2_3_IdempotencyConflict(t *testing.T) {
	refused := wanted{To: continuity.Refused, Reason: continuity.ReasonRefused, Sign: Good, Kept: true}
	conflict := wanted{To: continuity.InDoubt, Reason: continuity.ReasonRetryStatus, After: testSettle, Sign: Good, Counts: true}
	problem := header("Content-Type", "application/problem+json")
	natural := func(r *continuity.Route) { r.Identity.By = continuity.IdempotentNatural }
	runJudge(t, []judgeRow{
		{name: "says nothing of idempotency", status: 409, body: "already shipped", want: refused},
		{name: "a problem of another type", status: 409, header: problem, body: `{"type":"https://shop/out-of-stock"}`, want: refused},
		{name: "the draft's problem type", status: 409, header: problem, body: `{"type":"https://developer.example.com/idempotency"}`, want: conflict},
		{name: "a provider's code", status: 409, header: header("content-type", "application/json; charset=utf-8"), body: `{"error":{"code":"IDEMPOTENCY_KEY_IN_USE"}}`, want: conflict},
		{name: "the word in a page", status: 409, header: header("Content-Type", "text/html"), body: `idempotency`, want: refused},
		{name: "names a time", status: 409, header: header("Retry-After", "1"), want: conflict},
		{
			name: "names a time beyond settle", status: 409, header: header("Retry-After", "60"),
			want: wanted{To: continuity.InDoubt, Reason: continuity.ReasonRetryStatus, After: time.Minute, Sign: Good, Counts: true},
		},
		{name: "where the upstream knows no keys", route: natural, status: 409, header: header("Retry-After", "1"), want: refused},
		{
			name: "listed by the route", status: 409, route: func(r *continuity.Route) { r.Verdicts.Retry = only(409) },
			want: wanted{To: continuity.Queued, Reason: continuity.ReasonRetryStatus, After: 500 * time.Millisecond, Sign: Throttled, Counts: true},
		},
	})
}

func TestRule2_3_TheRoutesOwnList(t *testing.T) {
	lists := func(r *continuity.Route) {
		r.Verdicts = continuity.Verdicts{
			Delivered: append(only(404), only(503)...),
			Retry:     append(only(500), only(503)...),
			Refused:   append(only(202), only(404)...),
			Clean:     append(only(502), only(504)...),
			Lost:      []continuity.StatusRange{{Low: 502, High: 502}, {Low: 520, High: 529}, {Low: 499, High: 499}},
		}
	}
	runJudge(t, []judgeRow{
		{name: "delivered before refused", route: lists, status: 404, want: wanted{To: continuity.Delivered, Sign: Good, Kept: true}},
		{name: "refused", route: lists, status: 202, want: wanted{To: continuity.Refused, Reason: continuity.ReasonRefused, Sign: Good, Kept: true}},
		{
			name: "retry", route: lists, status: 500, header: header("Retry-After", "9"),
			want: wanted{To: continuity.Queued, Reason: continuity.ReasonRetryStatus, After: 9 * time.Second, Sign: Throttled, Counts: true, All: 9 * time.Second},
		},
		{
			name: "retry before delivered", route: lists, status: 503,
			want: wanted{To: continuity.Queued, Reason: continuity.ReasonRetryStatus, After: 500 * time.Millisecond, Sign: Throttled, Counts: true},
		},
		{
			name: "clean, an exception from lost", route: lists, status: 502,
			want: wanted{To: continuity.Queued, Reason: continuity.ReasonUnreachable, After: 500 * time.Millisecond, Sign: Unreached},
		},
		{
			name: "clean, with a time", route: lists, status: 504, header: header("Retry-After", "3"),
			want: wanted{To: continuity.Queued, Reason: continuity.ReasonUnreachable, After: 3 * time.Second, Sign: Unreached, All: 3 * time.Second},
		},
		{
			name: "lost", route: lists, status: 524,
			want: wanted{To: continuity.InDoubt, Reason: continuity.ReasonServerError, After: testSettle, Sign: Lost, Counts: true},
		},
		{
			name: "lost, by a status that is no server error", route: lists, status: 499,
			want: wanted{To: continuity.InDoubt, Reason: continuity.ReasonLost, After: testSettle, Sign: Lost, Counts: true},
		},
	})
}

func TestRule4_2_CleanFailureIsTriedAgain(t *testing.T) {
	runJudge(t, []judgeRow{
		{
			name: "queued again", class: upstream.Clean,
			want: wanted{To: continuity.Queued, Reason: continuity.ReasonUnreachable, After: 500 * time.Millisecond, Sign: Unreached},
		},
		{
			name: "uses up no attempt", class: upstream.Clean, failures: 4,
			want: wanted{To: continuity.Queued, Reason: continuity.ReasonUnreachable, After: 500 * time.Millisecond, Sign: Unreached},
		},
		{
			name: "no connection was free, which is nobody's fault", class: upstream.Clean, err: fmt.Errorf("wrapped: %w", http1.ErrBusy), failures: 40,
			want: wanted{To: continuity.Queued, Reason: continuity.ReasonUnreachable, After: 150 * time.Second, Sign: Unsent},
		},
		{
			name: "we broke it off", class: upstream.Clean, err: context.Canceled,
			want: wanted{To: continuity.Queued, Reason: continuity.ReasonUnreachable, After: 500 * time.Millisecond, Sign: Unsent},
		},
		{
			name: "decides nothing about an earlier attempt", class: upstream.Clean, state: continuity.InDoubt,
			want: wanted{To: continuity.InDoubt, Reason: continuity.ReasonRestart, After: 500 * time.Millisecond, Sign: Unreached},
		},
		{
			name: "a person's retry of a doubt still stands", class: upstream.Clean, doubted: true,
			want: wanted{To: continuity.Queued, Reason: continuity.ReasonUnreachable, After: 500 * time.Millisecond, Sign: Unreached},
		},
	})
}

func TestRule4_2_LostAttemptIsInDoubt(t *testing.T) {
	saves := func(r *continuity.Route) { r.Identity.SavesErrors = true }
	runJudge(t, []judgeRow{
		{
			name: "lost", class: upstream.Lost,
			want: wanted{To: continuity.InDoubt, Reason: continuity.ReasonLost, After: testSettle, Sign: Lost, Counts: true},
		},
		{
			name: "waits longer than a short settle", class: upstream.Lost, failures: 3, route: func(r *continuity.Route) { r.Settle = 0 },
			want: wanted{To: continuity.InDoubt, Reason: continuity.ReasonLost, After: 4 * time.Second, Sign: Lost, Counts: true},
		},
		{
			name: "a server error that is saved is kept for the person", status: 500, route: saves,
			want: wanted{To: continuity.InDoubt, Reason: continuity.ReasonServerError, After: testSettle, Sign: Failed, Counts: true, Kept: true},
		},
		{
			name: "credentials leave a doubt as it was", status: 401, state: continuity.InDoubt,
			want: wanted{To: continuity.InDoubt, Reason: continuity.ReasonRestart, After: 500 * time.Millisecond, Sign: Denied, Pause: continuity.ReasonCredentials},
		},
		{
			name: "so does another try", status: 429, state: continuity.InDoubt,
			want: wanted{To: continuity.InDoubt, Reason: continuity.ReasonRestart, After: 500 * time.Millisecond, Sign: Throttled, Counts: true},
		},
	})
}

func TestRule3_6_PoisonParksOrGoesToTheDeadLetters(t *testing.T) {
	dead := func(r *continuity.Route) { r.Poison.Dead = true }
	parked := wanted{To: continuity.Parked, Reason: continuity.ReasonPoison, Sign: Throttled, Counts: true, Kept: true}
	again := wanted{To: continuity.Queued, Reason: continuity.ReasonRetryStatus, After: 4 * time.Second, Sign: Throttled, Counts: true}
	runJudge(t, []judgeRow{
		{
			name: "can't be sent at all", class: upstream.Clean, err: http1.ErrHeader, route: dead,
			want: wanted{To: continuity.Parked, Reason: continuity.ReasonUnsendable, Sign: Unsent},
		},
		{name: "the last but one", status: 429, failures: 3, want: again},
		{name: "parks", status: 429, failures: 4, want: parked},
		{name: "dead by choice", status: 429, failures: 4, route: dead, want: wanted{To: continuity.Dead, Reason: continuity.ReasonPoison, Sign: Throttled, Counts: true, Kept: true}},
		{name: "what is in doubt never is dead", status: 429, failures: 4, route: dead, state: continuity.InDoubt, want: parked},
		{name: "nor what was, and was sent again by a person", status: 429, failures: 4, route: dead, doubted: true, want: parked},
		{
			name: "a server error is a doubt first", status: 500, failures: 4, route: dead,
			want: wanted{To: continuity.InDoubt, Reason: continuity.ReasonServerError, After: testSettle, Sign: Failed, Counts: true},
		},
		{
			name: "without a limit it goes on", status: 429, failures: 40, route: func(r *continuity.Route) { r.Poison.Attempts = 0 },
			want: wanted{To: continuity.Queued, Reason: continuity.ReasonRetryStatus, After: 150 * time.Second, Sign: Throttled, Counts: true},
		},
	})
}

func TestRule4_5_DoubtIsSettled(t *testing.T) {
	by := func(id continuity.Identity) *continuity.Route {
		return testRoute(func(r *continuity.Route) { r.Identity = id })
	}
	key := continuity.Identity{By: continuity.IdempotentKey, Remembers: time.Hour}
	saves := key
	saves.SavesErrors = true
	natural := continuity.Identity{By: continuity.IdempotentNatural}
	none := continuity.Identity{By: continuity.IdempotentNone, Decides: "commander"}
	const ms = time.Millisecond
	for _, row := range []struct {
		name     string
		route    *continuity.Route
		reason   continuity.Reason
		since    time.Duration
		failures int
		parked   continuity.Reason // "": it is sent
	}{
		{"key repeats", by(key), continuity.ReasonLost, time.Minute, 1, ""},
		{"key repeats a server error", by(key), continuity.ReasonServerError, time.Minute, 1, ""},
		{"key repeats while remembered", by(key), continuity.ReasonLost, time.Hour - testReach - ms, 1, ""},
		{"key, as this attempt may take so long that it is forgotten", by(key), continuity.ReasonLost, time.Hour - testReach, 1, continuity.ReasonRemembersOver},
		{"key, forgotten", by(key), continuity.ReasonRestart, 2 * time.Hour, 1, continuity.ReasonRemembersOver},
		{"key, used up", by(key), continuity.ReasonLost, time.Minute, 5, continuity.ReasonPoison},
		{"saved error", by(saves), continuity.ReasonServerError, time.Minute, 1, continuity.ReasonSavedError},
		{"no error to be saved", by(saves), continuity.ReasonLost, time.Minute, 1, ""},
		{"natural repeats", by(natural), continuity.ReasonLost, 1000 * time.Hour, 1, ""},
		{"natural repeats a server error", by(natural), continuity.ReasonServerError, time.Minute, 4, ""},
		{"natural, used up", by(natural), continuity.ReasonServerError, time.Minute, 5, continuity.ReasonPoison},
		{"none", by(none), continuity.ReasonLost, time.Minute, 1, continuity.ReasonDoubt},
		{"none after a restart", by(none), continuity.ReasonRestart, time.Minute, 0, continuity.ReasonDoubt},
	} {
		t.Run(row.name, func(t *testing.T) {
			st := ledger.Status{Receipt: continuity.Receipt{9}, State: continuity.InDoubt, Reason: row.reason, Doubted: true}
			o, send := Settle(row.route, st, row.since, row.failures)
			want := continuity.Outcome{}
			if row.parked != "" {
				want = continuity.Outcome{Receipt: st.Receipt, To: continuity.Parked, Reason: row.parked}
			}
			if diff := gocmp.Diff(want, o); diff != "" || send != (row.parked == "") {
				t.Errorf("send %v, outcome (-want +got)\n%s", send, diff)
			}
		})
	}
}

func TestBackoffDoublesWithinBoundsAndSpreads(t *testing.T) {
	for n := -1; n <= 70; n++ {
		full := min(time.Second<<min(max(n-1, 0), 20), 5*time.Minute)
		for _, jitter := range []float64{0, 0.5, 0.999} {
			d := backoff(n, jitter)
			if d < full/2 || d > full {
				t.Errorf("backoff(%d, %v) = %v, want within [%v, %v]", n, jitter, d, full/2, full)
			}
		}
		if backoff(n, 0) == backoff(n, 0.999) {
			t.Errorf("backoff(%d) is not spread", n)
		}
	}
}

func TestSignNames(t *testing.T) {
	want := "good unreached lost failed throttled denied unsent"
	if have := fmt.Sprintf("%v %v %v %v %v %v %v", Good, Unreached, Lost, Failed, Throttled, Denied, Unsent); have != want {
		t.Errorf("signs are %q, want %q", have, want)
	}
}
