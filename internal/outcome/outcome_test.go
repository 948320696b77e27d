package outcome_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
	"holdfast/internal/outcome"
)

var wecom = &continuity.BodyVerdicts{
	Pointer: "/errcode", Statuses: []continuity.StatusRange{{Low: 200, High: 299}},
	Values: map[string]continuity.Verdict{
		"0": continuity.VerdictDelivered, "-1": continuity.VerdictRetry, "45009": continuity.VerdictRetry,
		"true": continuity.VerdictClean, "BUSY": continuity.VerdictLost,
	},
	Other: continuity.VerdictRefused,
}

func TestOf(t *testing.T) {
	gzip := []continuity.Field{{Name: "content-encoding", Value: "gzip"}}
	for name, tt := range map[string]struct {
		body   string
		header []continuity.Field
		cut    bool
		want   continuity.Verdict
		unread bool
	}{
		"delivered":        {body: `{"errcode":0,"errmsg":"ok"}`, want: continuity.VerdictDelivered},
		"negative":         {body: `{"errcode":-1}`, want: continuity.VerdictRetry},
		"a string":         {body: `{"errcode":"BUSY"}`, want: continuity.VerdictLost},
		"text of a number": {body: `{"errcode":"0"}`, want: continuity.VerdictDelivered},
		"true":             {body: `{"errcode":true}`, want: continuity.VerdictClean},
		"in no list":       {body: `{"errcode":40003}`, want: continuity.VerdictRefused},
		"another form":     {body: `{"errcode":0.0}`, want: continuity.VerdictRefused},
		"no value":         {body: `{}`, want: continuity.VerdictRefused},
		"an object":        {body: `{"errcode":{"a":0}}`, want: continuity.VerdictRefused},
		"no JSON":          {body: `<html>`, unread: true},
		"empty":            {unread: true},
		"doubled":          {body: `{"errcode":0,"errcode":1}`, unread: true},
		"cut":              {body: `{"errcode":0}`, cut: true, unread: true},
		"packed":           {body: `{"errcode":0}`, header: gzip, unread: true},
	} {
		got, readable := outcome.Of(wecom, tt.header, []byte(tt.body), tt.cut)
		if got != tt.want || readable == tt.unread {
			t.Errorf("%s: %d, readable %v", name, got, readable)
		}
	}
	if outcome.Reads(wecom, 500) || !outcome.Reads(wecom, 204) || outcome.Reads(nil, 200) {
		t.Error("the statuses whose bodies are read")
	}
}

func TestHolds(t *testing.T) {
	ok := []continuity.StatusRange{{Low: 200, High: 200}}
	for name, tt := range map[string]struct {
		c    continuity.Condition
		body string
		want bool
	}{
		"status alone":  {continuity.Condition{Statuses: ok}, "x", true},
		"other status":  {continuity.Condition{Statuses: []continuity.StatusRange{{Low: 404, High: 404}}}, "", false},
		"value":         {continuity.Condition{Statuses: ok, Pointer: "/code", In: []string{"10000"}}, `{"code":"10000"}`, true},
		"another value": {continuity.Condition{Statuses: ok, Pointer: "/code", In: []string{"10000"}}, `{"code":"40004"}`, false},
		"any value":     {continuity.Condition{Statuses: ok, Pointer: "/trade"}, `{"trade":{}}`, true},
		"null":          {continuity.Condition{Statuses: ok, Pointer: "/trade"}, `{"trade":null}`, false},
		"absent":        {continuity.Condition{Statuses: ok, Pointer: "/trade"}, `{}`, false},
		"no JSON":       {continuity.Condition{Statuses: ok, Pointer: "/trade"}, `no`, false},
	} {
		if got := outcome.Holds(tt.c, &continuity.Response{Status: 200, Body: []byte(tt.body)}); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPlainEncoding(t *testing.T) {
	got := outcome.PlainEncoding([]continuity.Field{{Name: "A", Value: "1"}, {Name: "accept-encoding", Value: "gzip"}})
	want := []continuity.Field{{Name: "A", Value: "1"}, {Name: "Accept-Encoding", Value: "identity"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
