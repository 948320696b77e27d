package replay

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/upstream"
)

func byErrcode(r *continuity.Route) {
	r.Verdicts = continuity.Verdicts{
		Refused: only(204),
		Body: &continuity.BodyVerdicts{
			Pointer: "/errcode", Statuses: []continuity.StatusRange{{Low: 200, High: 299}, {Low: 400, High: 400}},
			Values: map[string]continuity.Verdict{
				"0": continuity.VerdictDelivered, "45009": continuity.VerdictRetry, "1": continuity.VerdictClean,
				"2": continuity.VerdictLost, "40001": continuity.VerdictCredentials, "3": continuity.VerdictRefused,
			},
		},
	}
}

func TestRule2_3_WhatTheBodySays(t *testing.T) {
	delivered := wanted{To: continuity.Delivered, Sign: Good, Kept: true}
	refused := wanted{To: continuity.Refused, Reason: continuity.ReasonRefused, Sign: Good, Kept: true}
	lost := wanted{To: continuity.InDoubt, Reason: continuity.ReasonLost, After: testSettle, Sign: Lost, Counts: true}
	denied := wanted{To: continuity.Queued, Reason: continuity.ReasonCredentials, After: 500 * time.Millisecond, Sign: Denied, Pause: continuity.ReasonCredentials}
	runJudge(t, []judgeRow{
		{name: "delivered", route: byErrcode, status: 200, body: `{"errcode":0}`, want: delivered},
		{name: "refused in a 200", route: byErrcode, status: 200, body: `{"errcode":3}`, want: refused},
		{
			name: "retry in a 200", route: byErrcode, status: 200, body: `{"errcode":45009}`, header: header("Retry-After", "60"),
			want: wanted{To: continuity.Queued, Reason: continuity.ReasonRetryStatus, After: time.Minute, Sign: Throttled, Counts: true, All: time.Minute},
		},
		{
			name: "clean in a 200", route: byErrcode, status: 200, body: `{"errcode":1}`,
			want: wanted{To: continuity.Queued, Reason: continuity.ReasonUnreachable, After: 500 * time.Millisecond, Sign: Unreached},
		},
		{name: "lost in a 200", route: byErrcode, status: 200, body: `{"errcode":2}`, want: lost},
		{name: "credentials in a 200", route: byErrcode, status: 200, body: `{"errcode":40001}`, want: denied},
		{name: "in no list: by the status", route: byErrcode, status: 200, body: `{"errcode":9}`, want: delivered},
		{name: "in no list, and the status is listed", route: byErrcode, status: 204, body: `{"errcode":9}`, want: refused},
		{name: "in a 400", route: byErrcode, status: 400, body: `{"errcode":0}`, want: delivered},
		{name: "a 400 that can't be read", route: byErrcode, status: 400, body: `<html>`, want: refused},
		{name: "a 200 that can't be read", route: byErrcode, status: 200, body: `<html>`, want: lost},
		{name: "a 200 under a coding", route: byErrcode, status: 200, body: `{"errcode":0}`, header: header("Content-Encoding", "gzip"), want: lost},
		{name: "another status is not read", route: byErrcode, status: 303, body: `{"errcode":3}`, want: delivered},
		{
			name: "no token to be had", class: upstream.Clean, err: fmt.Errorf("token: %w", upstream.ErrCredentials),
			want: denied,
		},
	})
}

// A body longer than a receipt keeps is still read.
func TestAnswersAreReadBeyondWhatIsKept(t *testing.T) {
	up := &script{answer: func(context.Context, arrival, int) upstream.Result {
		res := answered(200)
		res.Body = io.NopCloser(strings.NewReader(`{"pad":"` + strings.Repeat("x", 10<<10) + `","errcode":3}`))
		return res
	}}
	route := testRoute(byErrcode, func(r *continuity.Route) { r.KeepResponse = 100 })
	inBubble(t, up, route, func(r *rig) {
		id := r.ledger.accept(1)
		r.start()
		pass(time.Second)
		r.wantStatus(id, continuity.Refused, continuity.ReasonRefused)
		if got := http1.Get(up.arrivals[0].what.Header, "Accept-Encoding"); got != "identity" {
			t.Errorf("asked for %q", got)
		}
	})
}
