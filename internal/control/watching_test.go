package control

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	promclient "github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"holdfast/internal/access"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/controlconfig"
	"holdfast/internal/endpoint"
	"holdfast/internal/planbook"
	"holdfast/internal/warning"
)

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

const hookKey = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="

var li = continuity.Actor{Kind: "user", ID: "li.wei"}

// exporter shows figures that a test sets.
type exporter struct {
	*httptest.Server

	refused atomic.Int64 // of a hundred payments that are asked with each reading
	asked   atomic.Int64
	failed  atomic.Int64
}

func newExporter(t *testing.T) *exporter {
	t.Helper()
	e := &exporter{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked, failed := e.asked.Add(100), e.failed.Add(e.refused.Load())
		_, _ = fmt.Fprintf(w, "payments_total %d\npayments_refused_total %d\npayments_taken_total %d\n", asked, failed, asked-failed)
	}))
	t.Cleanup(e.Close)
	return e
}

// settings are those of a node in a folder, which may read from this machine.
func settings(t *testing.T, dir, more string) controlconfig.Control {
	t.Helper()
	write(t, filepath.Join(dir, "hook.secret"), hookKey)
	file := filepath.Join(dir, "control.yaml")
	write(t, file, "schema: holdfast/control@1\nnode: control-1\nlisten: 127.0.0.1:0\nlease: 1s\noutgoing: [127.0.0.0/8]\nhooks:\n  - {id: tills, secret: {file: hook.secret}}\n"+more)
	c, problems, err := controlconfig.Load(file)
	if err != nil {
		t.Fatal(problems, err)
	}
	return c
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run starts a node that judges often.
func run(t *testing.T, c controlconfig.Control) *Node {
	t.Helper()
	n, err := New(Options{Config: c, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	n.judges = 20 * time.Millisecond
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopped(t, n) })
	return n
}

func stopped(t *testing.T, n *Node) {
	t.Helper()
	ctx, done := context.WithTimeout(context.Background(), patience)
	defer done()
	if err := n.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// apply lets an example plan hold, edited.
func apply(t *testing.T, n *Node, name string, edit ...string) {
	t.Helper()
	read := func(file string) string {
		text, err := os.ReadFile("../../examples/plans/" + file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	texts := continuity.PlanTexts{Plan: read(name + ".yaml"), Tech: read(name + ".tech.yaml")}
	for i := 0; i+1 < len(edit); i += 2 {
		if !strings.Contains(texts.Plan+texts.Tech, edit[i]) {
			t.Fatal("no " + edit[i])
		}
		texts.Plan, texts.Tech = strings.Replace(texts.Plan, edit[i], edit[i+1], 1), strings.Replace(texts.Tech, edit[i], edit[i+1], 1)
	}
	var people []continuity.Person
	for _, id := range []string{"li.wei", "zhang.min", "chen.jie", "wu.hao", "sun.lan", "he.ping"} {
		people = append(people, continuity.Person{ID: id, Names: map[string]string{"en": id}})
	}
	if _, err := n.store.People().Import(t.Context(), li, people, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := n.plans.Submit(t.Context(), li, planbook.Submission{Service: name, Base: planbook.Whatever, Texts: texts}); err != nil {
		var e *continuity.Error
		_ = errors.As(err, &e)
		t.Fatal(err, e.Args["problems"])
	}
}

// until waits until something is so.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-deadline.C:
			t.Fatal("never: " + what)
		}
	}
}

func standing(t *testing.T, n *Node, id string) continuity.Warning {
	t.Helper()
	k, err := warning.NewActs(n.store, time.Now).Get(t.Context(), id)
	if err != nil && continuity.CodeOf(err) != continuity.CodeNotFound {
		t.Fatal(err)
	}
	return k.Warning
}

func token(t *testing.T, n *Node) string {
	t.Helper()
	text, err := endpoint.ReadToken(n.o.Config.TokenFile())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// reading makes the example plan of payments read an exporter.
func reading(e *exporter) []string {
	return []string{
		"measures:\n", "allow: [127.0.0.0/8]\nscrape:\n  - {id: shop, targets: [" + e.URL + "/metrics], every: 1s, timeout: 1s}\nmeasures:\n",
		"rate(payments_refused_total[5m])", "rate(payments_refused_total[3s])", "rate(payments_total[5m])", "rate(payments_total[3s])",
		"over: 5%, for: 3m", "over: 5%, for: 1s",
	}
}

// TestThresholdsWarn takes figures all the way from an exporter to a warning, over
// a restart of the node, and back.
func TestThresholdsWarn(t *testing.T) {
	e := newExporter(t)
	c := settings(t, t.TempDir(), "")
	n := run(t, c)
	apply(t, n, "payment-outage", reading(e)...)
	const id = "payment-outage.refused"
	client := controlapi.NewClient(n.Addr(), token(t, n), "li.wei", catalogue.Zh, nil)
	until(t, "figures", func() bool {
		all, err := controlapi.List[controlapi.NamedMeasure](t.Context(), client, "/measures", url.Values{"service": {"payment-outage"}}, 0)
		return err == nil && len(all) == 3 && all[2].Value != nil && *all[2].Value == 0
	})
	if w := standing(t, n, id); w.Stands() {
		t.Fatalf("%+v", w)
	}
	e.refused.Store(30)
	until(t, "a warning", func() bool { w := standing(t, n, id); return w.Stands() })
	w := standing(t, n, id)
	if w.Level != "orange" || !w.Partial || w.Text.Zh != "付款失败增多" || len(w.Evidence) != 1 || w.Evidence[0].Query == "" || *w.Evidence[0].Limit != 0.05 {
		t.Errorf("%+v", w)
	}
	stopped(t, n)
	n = run(t, c)
	if w := standing(t, n, id); !w.Stands() {
		t.Error("the restart ended the warning")
	}
	e.refused.Store(0)
	until(t, "the end of the warning", func() bool { w := standing(t, n, id); return !w.Stands() })
	var told []string
	events, _, err := n.store.Events(t.Context(), continuity.EventQuery{Kind: warning.Kind, ID: id, Oldest: true})
	for _, ev := range events {
		told = append(told, ev.Action)
	}
	if got := strings.Join(told, " "); err != nil || got != "warning.opened warning.cleared" {
		t.Errorf("told %s, %v", got, err)
	}
}

// TestPrometheusClients asks a node as Grafana and promtool do.
func TestPrometheusClients(t *testing.T) {
	n := run(t, settings(t, t.TempDir(), ""))
	until(t, "figures of this machine", func() bool { return n.measures.Stats().Series > 10 })
	for name, by := range map[string]http.RoundTripper{
		"bearer": bearer{func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token(t, n)) }},
		"basic":  bearer{func(r *http.Request) { r.SetBasicAuth("grafana", token(t, n)) }},
	} {
		client, err := promclient.NewClient(promclient.Config{Address: "http://" + n.Addr() + "/api/v1/prometheus", RoundTripper: by})
		if err != nil {
			t.Fatal(err)
		}
		api := promv1.NewAPI(client)
		value, warnings, _, err := api.Query(t.Context(), `count(node_cpu_seconds_total{job="node",instance="control-1"})`, time.Now())
		if err != nil || len(warnings) > 0 || !strings.Contains(value.String(), "=>") {
			t.Errorf("%s: %v %v %v", name, value, warnings, err)
		}
		now := time.Now()
		if _, _, _, err := api.QueryRange(t.Context(), "node_load1", promv1.Range{Start: now.Add(-time.Hour), End: now, Step: time.Minute}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if found, _, _, err := api.LabelValues(t.Context(), "job", nil, now.Add(-time.Hour), now); err != nil || len(found) == 0 {
			t.Errorf("%s: %v %v", name, found, err)
		}
		if found, _, _, err := api.Series(t.Context(), []string{"node_load1"}, now.Add(-time.Hour), now); err != nil || len(found) != 1 {
			t.Errorf("%s: %v %v", name, found, err)
		}
		if _, err := api.Metadata(t.Context(), "", ""); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := api.Buildinfo(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, _, err := api.Query(t.Context(), `sum(`, now); err == nil || !strings.Contains(err.Error(), "bad_data") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, wrong := range []string{"", "Bearer hf_nobody", "Basic bm9ib2R5OndvcmQ="} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+n.Addr()+"/api/v1/prometheus/api/v1/query?query=1", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", wrong)
		if got := status(t, r); got != http.StatusUnauthorized {
			t.Errorf("%q: %d", wrong, got)
		}
	}
}

type bearer struct{ sign func(*http.Request) }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	b.sign(r)
	return http.DefaultTransport.RoundTrip(r)
}

func status(t *testing.T, r *http.Request) int {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode >= 400 {
		t.Logf("%s: %s", resp.Status, body)
	}
	return resp.StatusCode
}

// TestSignalsFromOutside sends a node what other systems send, and looks at the
// warnings by the API.
func TestSignalsFromOutside(t *testing.T) {
	n := run(t, settings(t, t.TempDir(), ""))
	client := controlapi.NewClient(n.Addr(), token(t, n), "li.wei", catalogue.Zh, nil)
	send := func(path, body string, head http.Header) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+n.Addr()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if head != nil {
			r.Header = head
		}
		r.Header.Set("Content-Type", "application/json")
		return status(t, r)
	}
	alert := `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"DiskFull","severity":"critical","service":"orders"},"annotations":{"summary":"full"}}]}`
	if got := send("/api/v1/in/alertmanager", alert, nil); got != http.StatusUnauthorized {
		t.Errorf("without a token: %d", got)
	}
	if got := send("/api/v1/in/alertmanager", alert, http.Header{"Authorization": {"Bearer " + token(t, n)}}); got != http.StatusOK {
		t.Errorf("an alert: %d", got)
	}
	body := `{"type":"signal.firing","data":{"key":"till-7","service":"orders","level":"blue","text":"offline"}}`
	if got := send("/api/v1/in/webhook/tills", body, signedHead(time.Now(), body)); got != http.StatusNoContent {
		t.Errorf("a signed message: %d", got)
	}
	if got := send("/api/v1/in/webhook/tills", body+" ", signedHead(time.Now(), body)); got != http.StatusUnauthorized {
		t.Errorf("one with another body: %d", got)
	}
	if got := send("/api/v1/in/webhook/none", body, signedHead(time.Now(), body)); got != http.StatusUnauthorized {
		t.Errorf("an unknown hook: %d", got)
	}
	var all []continuity.Warning
	until(t, "both warnings", func() bool {
		var err error
		all, err = controlapi.List[continuity.Warning](t.Context(), client, "/warnings", nil, 0)
		return err == nil && len(all) == 2
	})
	if all[0].Level != "red" || all[1].ID != "orders.hook.tills.till-7" {
		t.Errorf("%+v", all)
	}
	path := "/warnings/" + all[1].ID
	_, version, err := controlapi.Get[continuity.Warning](t.Context(), client, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := controlapi.Put[continuity.Warning](t.Context(), client, path+"/dismissal", version+100, map[string]string{"why": "x"}); continuity.CodeOf(err) != continuity.CodeVersion {
		t.Errorf("in another version: %v", err)
	}
	w, _, err := controlapi.Put[continuity.Warning](t.Context(), client, path+"/dismissal", version, map[string]string{"why": "it is being exchanged"})
	if err != nil || w.State != "dismissed" || w.Dismissed.By.ID != "li.wei" {
		t.Errorf("%+v %v", w, err)
	}
	if said, err := controlapi.Post[controlapi.Reported](t.Context(), client, "/signals/reports", controlapi.TroubleReport{Service: "orders", What: "slow", Reporter: "ann"}); continuity.CodeOf(err) != continuity.CodeNotFound {
		t.Errorf("a service without a plan: %+v %v", said, err)
	}
	if !access.Viewer.Scopes().Has(access.ReportsWrite) || access.Responder.Scopes().Has(access.SignalsWrite) {
		t.Error("staff tell of their own troubles, and speak for no system")
	}
}

func signedHead(at time.Time, body string) http.Header {
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(hookKey, "whsec_"))
	stamp := strconv.FormatInt(at.Unix(), 10)
	id := "msg-" + strconv.FormatInt(at.UnixNano(), 10)
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(id + "." + stamp + "." + body))
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", stamp)
	h.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return h
}

// TestRemoteWrite sends measures on, with a token.
func TestRemoteWrite(t *testing.T) {
	got := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		select {
		case got <- r.Header.Get("Authorization") + " " + r.Header.Get("Content-Encoding") + " " + strconv.FormatBool(len(b) > 100):
		default:
		}
	}))
	t.Cleanup(receiver.Close)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "remote.token"), "s3cret")
	run(t, settings(t, dir, "metrics:\n  remote_write:\n    - {url: "+receiver.URL+"/write, token: {file: remote.token}}\n"))
	select {
	case said := <-got:
		if said != "Bearer s3cret snappy true" {
			t.Error(said)
		}
	case <-time.After(patience):
		t.Fatal("nothing was sent on")
	}
}

// judge writes down what is held of a check, as the engine of checks does.
func judge(t *testing.T, n *Node, check string, state continuity.CheckState) {
	t.Helper()
	body, err := json.Marshal(continuity.JudgedCheck{State: state, Since: time.Now()})
	if err == nil {
		_, err = n.store.Commit(t.Context(), continuity.Batch{Actor: continuity.Actor{Kind: "engine", ID: "watch"}, Changes: []continuity.Change{{
			Kind: continuity.ObjectCheck, ID: check, Service: "payment-outage", Version: continuity.VersionAny, Body: body, Action: "check." + string(state),
		}}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// words collects what a relay is told.
type words struct {
	net.Addr

	said chan string
}

func newRelay(t *testing.T) *words {
	t.Helper()
	w := &words{said: make(chan string, 100)}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var buf bytes.Buffer
		_, _ = buf.ReadFrom(r.Body)
		if r.Header.Get("Authorization") != "Bearer relay-token" {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		if r.URL.Path == "/api/v1/health" {
			w.said <- buf.String()
		}
		_, _ = rw.Write([]byte("[]"))
	}))
	t.Cleanup(s.Close)
	w.Addr = s.Listener.Addr()
	return w
}

func (w *words) next(t *testing.T) string {
	t.Helper()
	select {
	case said := <-w.said:
		return said
	case <-time.After(patience):
		t.Fatal("the relay was told nothing")
		return ""
	}
}

// TestRelaysAreTold: what is known of a check is told, what is not is not.
func TestRelaysAreTold(t *testing.T) {
	relay := newRelay(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "relay.token"), "relay-token")
	n := run(t, settings(t, dir, "relays:\n  - {id: relay, admin: http://"+relay.String()+", token: {file: relay.token}}\n"))
	apply(t, n, "payment-outage")
	const check = "payment-outage/gateway"
	judge(t, n, check, continuity.CheckUnknown)
	judge(t, n, check, continuity.CheckDown)
	if got, want := relay.next(t), `{"route":"payments","check":"payment-outage/gateway","down":true,"for_seconds":45,"node":"control-1"}`; got != want {
		t.Errorf("%s, not %s", got, want)
	}
	judge(t, n, check, continuity.CheckUnknown)
	judge(t, n, check, continuity.CheckUp)
	if got := relay.next(t); !strings.Contains(got, `"down":false`) {
		t.Error(got)
	}
}
