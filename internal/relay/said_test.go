package relay_test

import (
	"strings"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/relay"
)

// wecom answers everything with 200 and an errcode.
func wecom(h *house, _ *relay.Options) {
	h.route.Verdicts.Body = &continuity.BodyVerdicts{
		Pointer: "/errcode", Statuses: []continuity.StatusRange{{Low: 200, High: 299}}, Limit: 500,
		Values: map[string]continuity.Verdict{
			"0": continuity.VerdictDelivered, "-1": continuity.VerdictClean, "45009": continuity.VerdictRetry,
			"50001": continuity.VerdictLost, "40001": continuity.VerdictCredentials,
		},
		Other: continuity.VerdictRefused,
	}
}

func TestRule2_3_WhatTheBodySaysDecidesLive(t *testing.T) {
	for name, tt := range map[string]struct {
		body   string
		held   bool
		lost   bool
		health string
	}{
		"delivered":     {body: `{"errcode":0}`, health: "ok 1 clean 0 lost 0"},
		"refused":       {body: `{"errcode":40003}`, health: "ok 1 clean 0 lost 0"},
		"credentials":   {body: `{"errcode":40001}`, health: "ok 1 clean 0 lost 0"},
		"not JSON":      {body: `<html>`, health: "ok 1 clean 0 lost 0"},
		"too long":      {body: `{"errcode":-1,"x":"` + strings.Repeat("x", 600) + `"}`, health: "ok 1 clean 0 lost 0"},
		"not processed": {body: `{"errcode":-1}`, held: true, health: "ok 0 clean 1 lost 0"},
		"try again":     {body: `{"errcode":45009}`, held: true, health: "ok 1 clean 0 lost 0"},
		"unknown":       {body: `{"errcode":50001}`, held: true, lost: true, health: "ok 0 clean 0 lost 1"},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, wecom)
			h.shop.next(answer(200, tt.body))
			r := h.post(order("A"))
			if got := h.health.told(); got != tt.health {
				t.Errorf("health heard %q", got)
			}
			if !tt.held {
				wantStatus(t, r, 200)
				if r.body != tt.body {
					t.Errorf("the answer was changed: %s", r)
				}
				h.wantKept(0)
				return
			}
			wantHeld(t, r)
			if h.wantKept(1)[0].Lost != tt.lost {
				t.Errorf("kept with lost %v", !tt.lost)
			}
		})
	}
}

// The body is read before any of it leaves, so one that breaks off can still be
// kept; so can nothing once a byte has left.
func TestRule4_3_AnAnswerThatIsReadAndBreaksOffIsLost(t *testing.T) {
	broken := "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"errcode\""
	h := open(t, wecom)
	h.shop.next(raw(broken))
	wantHeld(t, h.post(order("A")))
	if !h.wantKept(1)[0].Lost {
		t.Error("not kept in doubt")
	}
}

func TestRule8_2_WhoDidNotDeclareItGetsTheAnswerThatAsksForAnotherTry(t *testing.T) {
	h := open(t, wecom, func(h *house, _ *relay.Options) { h.route.Answer = nil })
	h.shop.next(answer(200, `{"errcode":45009}`))
	if r := h.post(order("A")); r.status != 200 || r.body != `{"errcode":45009}` {
		t.Errorf("answered %s", r)
	}
	h.shop.next(answer(200, `{"errcode":45009}`))
	wantHeld(t, h.post(order("B"), "Prefer: respond-async"))
	h.wantKept(1)
}

func TestRoutesThatReadAnswersAskForNoCoding(t *testing.T) {
	h := open(t, wecom)
	wantStatus(t, h.post(order("A"), "Accept-Encoding: gzip, br"), 201)
	if got := h.wantSent(1)[0].Header.Values("Accept-Encoding"); len(got) != 1 || got[0] != "identity" {
		t.Errorf("asked for %q", got)
	}
	h = open(t)
	wantStatus(t, h.post(order("A"), "Accept-Encoding: gzip, br"), 201)
	if got := h.wantSent(1)[0].Header.Values("Accept-Encoding"); len(got) != 1 || got[0] != "gzip, br" {
		t.Errorf("another route asked for %q", got)
	}
}

// What is read of answers counts towards the bound over all routes.
func TestRule7_1_AnswersThatAreReadAreBounded(t *testing.T) {
	h := open(t, wecom)
	h.use(continuity.Limits{LiveBytes: 100}) // room for the request and no more
	h.shop.next(answer(200, `{"errcode":-1,"x":"`+strings.Repeat("x", 300)+`"}`))
	wantStatus(t, h.post(order("A")), 200)
	h.wantKept(0)
	h.use(continuity.Limits{LiveBytes: 8000})
	h.shop.next(answer(200, `{"errcode":-1,"x":"`+strings.Repeat("x", 300)+`"}`))
	wantHeld(t, h.post(order("A")))
}

func TestRule5_2_ACallbacksRepeatGetsTheVeryAnswer(t *testing.T) {
	h := open(t, func(h *house, _ *relay.Options) {
		h.route.Answer = &continuity.Answer{Status: 200, ContentType: "text/plain", Body: "success", Same: true}
		h.route.Key = continuity.Selector{Source: continuity.SourceForm, Name: "out_trade_no"}
		h.route.Identity = continuity.Identity{By: continuity.IdempotentNatural, Fields: []string{"form:notify_id"}, Loose: true}
	})
	h.books.hold("operator")
	want := func(r reply) {
		t.Helper()
		if r.status != 200 || r.body != "success" || r.header.Get("Content-Type") != "text/plain" {
			t.Fatalf("answered %s", r)
		}
	}
	want(h.post("notify_id=N1&out_trade_no=A&notify_time=1&sign=x"))
	want(h.post("notify_id=N1&out_trade_no=A&notify_time=2&sign=y")) // dated and signed anew
	rec := h.wantKept(1)[0]
	for _, end := range []struct {
		to   continuity.State
		resp *continuity.Response
	}{{continuity.Refused, &continuity.Response{Status: 200, Body: []byte("fail")}}, {continuity.Dead, nil}} {
		h.books.end(rec.Receipt, end.to, end.resp)
		want(h.post("notify_id=N1&out_trade_no=A&notify_time=3&sign=z"))
	}
	want(h.post("notify_id=N2&out_trade_no=A&notify_time=4&sign=x"))
	h.wantKept(2)
	h.wantSent(0)
}

func TestAnswer204HasNeitherBodyNorType(t *testing.T) {
	h := open(t, func(h *house, _ *relay.Options) { h.route.Answer = &continuity.Answer{Status: 204} })
	h.books.hold("operator")
	r := h.post(order("A"))
	if r.status != 204 || r.body != "" || r.header.Get("Content-Type") != "" || r.header.Get("Content-Length") != "" {
		t.Errorf("answered %s", r)
	}
}
