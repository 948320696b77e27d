package replay

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
	"holdfast/internal/http1"
	"holdfast/internal/ledger"
	"holdfast/internal/upstream"
)

var ok = []continuity.StatusRange{{Low: 200, High: 299}}

func asking(r *continuity.Route) {
	r.Identity = continuity.Identity{By: continuity.IdempotentNone, Lookup: &continuity.Lookup{
		Method: "GET", Target: "/trades?no={key}&ik={idempotency_key}",
		Found:    continuity.Condition{Statuses: ok, Pointer: "/state", In: []string{"PAID"}},
		NotFound: continuity.Condition{Statuses: append(only(404), ok...), Pointer: "/code", In: []string{"NO_TRADE"}},
	}}
}

func says(status int, body string) upstream.Result {
	res := answered(status)
	res.Body = io.NopCloser(strings.NewReader(body))
	return res
}

func TestRule4_5_WhatALookUpMeans(t *testing.T) {
	type want struct {
		To     continuity.State
		Reason continuity.Reason
		After  time.Duration
		Send   bool
		Counts bool
		Sign   Sign
	}
	unclear := want{To: continuity.InDoubt, Reason: continuity.ReasonLost, After: 500 * time.Millisecond, Counts: true, Sign: Good}
	again := unclear
	again.Sign = Failed
	for name, tt := range map[string]struct {
		class    upstream.Class
		status   int
		body     string
		failures int
		want     want
	}{
		"found":                     {status: 200, body: `{"state":"PAID"}`, want: want{To: continuity.Delivered, Sign: Good}},
		"not found":                 {status: 404, body: `{"code":"NO_TRADE"}`, want: want{Send: true}},
		"not found in a 200":        {status: 200, body: `{"code":"NO_TRADE"}`, want: want{Send: true}},
		"not found, tries gone":     {status: 404, body: `{"code":"NO_TRADE"}`, failures: 5, want: want{To: continuity.Parked, Reason: continuity.ReasonPoison, Sign: Good}},
		"both":                      {status: 200, body: `{"state":"PAID","code":"NO_TRADE"}`, want: unclear},
		"being paid":                {status: 200, body: `{"state":"PAYING"}`, want: unclear},
		"404 of somebody else":      {status: 404, body: `<html>`, want: unclear},
		"server error":              {status: 500, want: again},
		"unclear for the last time": {status: 500, failures: 4, want: want{To: continuity.Parked, Reason: continuity.ReasonDoubt, Counts: true, Sign: Failed}},
		"no answer":                 {class: upstream.Lost, want: want{To: continuity.InDoubt, Reason: continuity.ReasonLost, After: 500 * time.Millisecond, Counts: true, Sign: Lost}},
		"not reached":               {class: upstream.Clean, failures: 9, want: want{To: continuity.InDoubt, Reason: continuity.ReasonLost, After: 500 * time.Millisecond, Sign: Unreached}},
	} {
		t.Run(name, func(t *testing.T) {
			st := ledger.Status{Receipt: continuity.Receipt{1}, State: continuity.InDoubt, Reason: continuity.ReasonLost, Doubted: true}
			res, resp := failed(tt.class), (*continuity.Response)(nil)
			if tt.class == 0 {
				res, resp = answered(tt.status), &continuity.Response{Status: tt.status, Body: []byte(tt.body)}
			}
			v, send := Answered(Case{Route: testRoute(asking), Claimed: st, Failures: tt.failures, Now: judgeNow}, continuity.ReasonDoubt, res, resp)
			got := want{To: v.Outcome.To, Reason: v.Outcome.Reason, After: v.Outcome.After, Send: send, Counts: v.Counts, Sign: v.Sign}
			if diff := gocmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A record lost live is asked about once settle is over, not earlier; not found
// means that it is sent, found that it was delivered after doubt.
func TestRule4_4_NotFoundCountsOnlyAfterSettle(t *testing.T) {
	for name, tt := range map[string]struct {
		lookup string
		sent   int
		state  continuity.State
		reason continuity.Reason
	}{
		"found":     {`{"state":"PAID"}`, 0, continuity.Delivered, ""},
		"not found": {`{"code":"NO_TRADE"}`, 1, continuity.Delivered, ""},
		"unclear":   {`{"state":"PAYING"}`, 0, continuity.Parked, continuity.ReasonDoubt},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []time.Time
			up := &script{answer: func(_ context.Context, a arrival, _ int) upstream.Result {
				if a.what.Method == "GET" {
					asked = append(asked, a.at)
					return says(200, tt.lookup)
				}
				return answered(200)
			}}
			inBubble(t, up, testRoute(asking), func(r *rig) {
				began := time.Now()
				id := r.ledger.accept(1, func(rec *continuity.Record) {
					rec.Lost, rec.Settle, rec.KeyText = true, testSettle, "A/1 ü"
					rec.Header = append(rec.Header, continuity.Field{Name: "Authorization", Value: "Bearer x"})
				})
				r.start()
				pass(testSettle - time.Second)
				if up.count() != 0 {
					t.Fatal("asked or sent within settle")
				}
				pass(10 * time.Minute)
				r.wantStatus(id, tt.state, tt.reason)
				if len(asked) == 0 || asked[0].Before(began.Add(testSettle)) {
					t.Errorf("asked at %v", asked)
				}
				if got := up.count() - len(asked); got != tt.sent {
					t.Errorf("sent %d times, want %d", got, tt.sent)
				}
				if name == "unclear" && len(asked) != 5 {
					t.Errorf("asked %d times, want as often as the route has attempts", len(asked))
				}
				q := up.arrivals[0].what
				if !strings.HasPrefix(q.Target, "/trades?no=A%2F1%20%C3%BC&ik=") || http1.Get(q.Header, "Idempotency-Key") != "" ||
					http1.Get(q.Header, "Authorization") != "Bearer x" || http1.Get(q.Header, "Accept-Encoding") != "identity" {
					t.Errorf("asked %+v", q)
				}
			})
		})
	}
}

func TestRule4_5_LookUpOnceTheUpstreamMayHaveForgotten(t *testing.T) {
	up := &script{answer: func(_ context.Context, a arrival, _ int) upstream.Result {
		if a.what.Method == "GET" {
			return says(200, `{"state":"PAID"}`)
		}
		return failed(upstream.Lost)
	}}
	route := testRoute(func(r *continuity.Route) {
		asking(r)
		r.Identity.By, r.Identity.Remembers = continuity.IdempotentKey, 10*time.Second // less than settle
	})
	inBubble(t, up, route, func(r *rig) {
		id := r.ledger.accept(1)
		r.start()
		pass(time.Minute)
		r.wantStatus(id, continuity.Delivered, "")
		if up.count() != 2 {
			t.Errorf("%d requests, want the attempt and the question", up.count())
		}
	})
}

func TestQuestionWithABody(t *testing.T) {
	l := &continuity.Lookup{Method: "POST", Target: "/query", Body: `{"out_trade_no":"{key}"}`}
	q := question(l, &continuity.Record{KeyText: "a\"b\\", IdempotencyKey: "k"})
	body, _ := io.ReadAll(q.Body)
	if want := `{"out_trade_no":"a\"b\\"}`; string(body) != want || q.Length != int64(len(want)) || http1.Get(q.Header, "Content-Type") != "application/json" {
		t.Errorf("asked %s, %+v", body, q)
	}
}
