package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
)

// route builds the first route of holding with some lines replaced.
func route(t *testing.T, replace ...string) continuity.Route {
	t.Helper()
	wantProblems(t, found(replace...))
	doc, _ := examine(&findings{}, []byte(strings.NewReplacer(replace...).Replace(holding)))
	return build(doc, "/").Routes[0]
}

func TestOutcomeByBody(t *testing.T) {
	got := route(t, "    caller", `    outcome:
      retry: [423]
      body: {pointer: /errcode, delivered: [0], retry: [-1, 45009], credentials: 40001, other: refused}
    caller`).Verdicts
	want := continuity.Verdicts{
		Retry: []continuity.StatusRange{{Low: 423, High: 423}},
		Body: &continuity.BodyVerdicts{
			Pointer: "/errcode", Statuses: []continuity.StatusRange{{Low: 200, High: 299}}, Limit: 64 << 10,
			Values: map[string]continuity.Verdict{
				"0": continuity.VerdictDelivered, "-1": continuity.VerdictRetry, "45009": continuity.VerdictRetry,
				"40001": continuity.VerdictCredentials,
			},
			Other: continuity.VerdictRefused,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	body := func(text string) []string { return found("    caller", "    outcome: {body: "+text+"}\n    caller") }
	wantProblems(t, body("{pointer: /a, delivered: [0], retry: [0], other: status}"), "config.outcome-twice")
	wantProblems(t, body("{pointer: /a, delivered: [0]}"), "config.missing")
	wantProblems(t, body("{pointer: /a, other: refused}"), "config.outcome-empty")
	wantProblems(t, body("{pointer: a, delivered: [0], other: refused}"), "config.pointer")
	wantProblems(t, body("{pointer: /a, delivered: [0], other: refused, limit: 2MiB}"), "config.outcome-limit")
	wantProblems(t, body("{pointer: /a, delivered: [0], other: maybe}"), "config.word")
}

func TestCallbackIdentity(t *testing.T) {
	r := route(t, "json:/order_no", "form:out_trade_no", "{by: key, remembers: 72h}", "{by: natural, fields: [form:notify_id, json:/a, xml:/xml/id], compare: fields}",
		"{status: 202}", "{status: 200, type: text/plain, body: success, repeat: same}")
	if diff := cmp.Diff(continuity.Identity{By: continuity.IdempotentNatural, Fields: []string{"form:notify_id", "/a", "xml:/xml/id"}, Loose: true}, r.Identity); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if r.Key != (continuity.Selector{Source: continuity.SourceForm, Name: "out_trade_no"}) || !r.Answer.Same {
		t.Errorf("key %+v, answer %+v", r.Key, r.Answer)
	}
	wantProblems(t, found("remembers: 72h", "remembers: 72h, compare: fields"), "config.compare-fields")
	wantProblems(t, found("remembers: 72h", "remembers: 72h, fields: [header:X]"), "config.field")
	wantProblems(t, found("json:/order_no", "xml:order"), "config.selector")
}

func TestRule4_5_ALookUpDecidesDoubts(t *testing.T) {
	by := "{by: key, remembers: 72h}"
	lookup := "lookup: {path: '/trades/{key}', found: {pointer: /state, in: [PAID]}, not_found: {status: 404}}"
	r := route(t, by, "{by: none, "+lookup+"}")
	want := &continuity.Lookup{
		Method: "GET", Target: "/trades/{key}",
		Found:    continuity.Condition{Statuses: []continuity.StatusRange{{Low: 200, High: 299}}, Pointer: "/state", In: []string{"PAID"}},
		NotFound: continuity.Condition{Statuses: []continuity.StatusRange{{Low: 404, High: 404}}},
	}
	if diff := cmp.Diff(want, r.Identity.Lookup); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	wantProblems(t, found(by, "{by: none, lookup: {path: '/t/{key}'}}"), "config.missing-block", "config.missing-block")
	wantProblems(t, found(by, "{by: none, lookup: {path: '/t/{key}', found: {pointer: /s, in: [A]}, not_found: {pointer: /s, in: [B]}}}"))
	wantProblems(t, found(by, "{by: none, lookup: {path: '/t/{key}', found: {pointer: /s, in: [A]}, not_found: {pointer: /s}}}"), "config.lookup-same")
}
