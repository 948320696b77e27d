package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/internal/continuity"
	"holdfast/internal/sign"
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

func loadOutbound(t *testing.T, secret string) (continuity.Route, []string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "relay.yaml")
	src := `listen: 127.0.0.1:9000
routes:
  - id: messages
    upstream: http://127.0.0.1:9001
    rewrite: {host: "qyapi.weixin.qq.com", strip: /wecom, prefix: /base}
    sign: {by: wecom, id: ww1, secret: {file: wecom.secret}}
    receipt:
      webhook: {url: https://client.example/hooks, secret: {env: HOLDFAST_TEST_WEBHOOK}, states: [refused, dead]}
`
	if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		if err := os.WriteFile(filepath.Join(dir, "wecom.secret"), []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	relay, problems, err := Load(path)
	if err != nil {
		t.Fatal(err, problems)
	}
	var ids []string
	for _, p := range problems {
		ids = append(ids, p.ID)
	}
	return relay.Routes[0], ids
}

func TestSecretsOfSigners(t *testing.T) {
	t.Setenv("HOLDFAST_TEST_WEBHOOK", "whsec_AAAA")
	r, problems := loadOutbound(t, "s3cret")
	wantProblems(t, problems)
	if *r.Rewrite != (continuity.Rewrite{Host: "qyapi.weixin.qq.com", Strip: "/wecom", Prefix: "/base"}) {
		t.Errorf("rewrite %+v", *r.Rewrite)
	}
	if r.Sign.By != "wecom" || r.Sign.ID != "ww1" || r.Sign.Secret.Reveal() != "s3cret" {
		t.Errorf("sign %+v", r.Sign)
	}
	w := r.Webhook
	if w.URL != "https://client.example/hooks" || w.Secret.Reveal() != "whsec_AAAA" || w.Timeout != 20*time.Second || !slices.Equal(w.States, []continuity.State{continuity.Refused, continuity.Dead}) {
		t.Errorf("webhook %+v", w)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if shown := fmt.Sprintf(format, *r.Sign) + fmt.Sprintf(format, *w); strings.Contains(shown, "s3cret") || strings.Contains(shown, "whsec_AAAA") {
			t.Errorf("%s shows a secret: %s", format, shown)
		}
	}
	t.Setenv("HOLDFAST_TEST_WEBHOOK", "")
	r, problems = loadOutbound(t, "")
	wantProblems(t, problems, "config.file-missing", "config.sign-off", "config.env-missing", "config.webhook-off")
	if r.Sign == nil || r.Sign.Secret != "" || r.Webhook == nil {
		t.Error("a route that can't sign goes on unsigned")
	}
}

func TestSignersAndTheirFieldsAreKnownHere(t *testing.T) {
	for _, name := range sign.Names() {
		if _, ok := signerFields[name]; !ok {
			t.Errorf("signer %s has no row", name)
		}
	}
	if len(signerFields) != len(sign.Names()) {
		t.Error("a row without a signer")
	}
}
