package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/controlapi"
	"holdfast/internal/controlconfig"
	"holdfast/internal/measure"
	"holdfast/internal/planbook"
	"holdfast/internal/problem"
	"holdfast/internal/watch"
	"holdfast/internal/yamldoc"
)

const checkedPlan = `schema: holdfast/plan@1
id: shop
name: {en: Web shop, zh: 网上商城}
owner: li.wei
profile: small
components:
  - {id: web, name: Web, checks: [web]}
  - {id: jobs, name: Jobs, checks: [backup], depends_on: [web]}
impact:
  - {process: orders, department: sales, mtd: 4h, rto: 1h, rpo: 1m, loss: 2000 CNY/h, meanwhile: by-phone}
interim:
  - {id: by-phone, how: Orders come by phone and are typed in later., approved_by: li.wei, approved_on: 2026-03-02}
grades:
  SEV-1: {recover_within: 1h}
roles:
  commander: {people: [li.wei, zhang.min], may: [declare, switch]}
channels:
  - {id: phones, kind: phone, standby: true}
scenarios:
  - {id: shop-down, name: {en: Shop down, zh: 商城不可用}, causes: [software], trigger: {person: true}, grade: SEV-1, runbook: restart}
runbooks:
  - id: restart
    steps:
      - {id: call, say: Call the hosting provider., owner: commander, within: 10m}
`

// node runs a control node on the folder.
func checkingNode(t *testing.T, dir string, outgoing string) (*Node, *controlapi.Client) {
	t.Helper()
	config, problems := controlconfig.Check("control.yaml", []byte("schema: holdfast/control@1\nnode: here\nlisten: 127.0.0.1:0\noutgoing: ["+outgoing+"]\n"))
	if config == nil {
		t.Fatal(problems)
	}
	config.Data = dir
	n, err := New(Options{Config: *config, Version: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopNode(t, n) })
	token, err := os.ReadFile(filepath.Join(dir, "admin.token"))
	if err != nil {
		t.Fatal(err)
	}
	return n, controlapi.NewClient(n.Addr(), strings.TrimSpace(string(token)), "li.wei", catalogue.En, nil)
}

func stopNode(t *testing.T, n *Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Error(err)
	}
}

// eventually waits for what is true soon.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !is() {
		pause(ctx, 20*time.Millisecond)
		if ctx.Err() != nil {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func applyChecks(t *testing.T, n *Node, tech string) {
	t.Helper()
	people := []continuity.Person{{ID: "li.wei", Names: map[string]string{"en": "Li Wei"}}, {ID: "zhang.min", Names: map[string]string{"en": "Zhang Min"}}}
	if _, err := n.store.People().Import(t.Context(), continuity.Actor{Kind: "user", ID: "li.wei"}, people, ""); err != nil {
		t.Fatal(err)
	}
	if err := n.plans.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := n.plans.Submit(t.Context(), continuity.Actor{Kind: "user", ID: "li.wei"}, planbook.Submission{
		Service: "shop", Base: planbook.Whatever, File: "shop.yaml", Texts: continuity.PlanTexts{Plan: checkedPlan, Tech: tech},
	})
	if err != nil {
		var told *continuity.Error
		if errors.As(err, &told) {
			t.Log(told.Args)
		}
		t.Fatal(err)
	}
}

// TestChecksOfANode has a real node look at a real server, which goes down and
// comes back; the API and the events tell, a restart changes nothing.
func TestChecksOfANode(t *testing.T) {
	var ill atomic.Bool
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if ill.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer target.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := closed.Addr().String()
	_ = closed.Close()
	dir := t.TempDir()
	n, client := checkingNode(t, dir, strings.TrimPrefix(target.URL, "http://"))
	tech := "schema: holdfast/plan-tech@1\nallow: [127.0.0.1]\nchecks:\n" +
		"  - {id: web, http: " + target.URL + "/, every: 200ms, timeout: 150ms}\n" +
		"  - {id: backup, heartbeat: 10s}\n"
	const refused = "  - {id: refused, tcp: \"%s\", every: 200ms, timeout: 150ms}\n"
	applyChecks(t, n, tech)
	_, err = n.plans.Submit(t.Context(), continuity.Actor{Kind: "user", ID: "li.wei"}, planbook.Submission{
		Service: "shop", Base: planbook.Whatever, File: "shop.yaml", Texts: continuity.PlanTexts{Plan: checkedPlan, Tech: tech + fmt.Sprintf(refused, elsewhere)},
	})
	var told *continuity.Error
	if !errors.As(err, &told) || told.Code != continuity.CodeConfig {
		t.Fatalf("a check that the node never lets out: %v", err)
	}
	problems, _ := told.Args["problems"].([]yamldoc.Problem)
	if i := slices.IndexFunc(problems, func(p yamldoc.Problem) bool { return p.ID == "watch.plan-outgoing" }); i < 0 || problems[i].Line != 6 ||
		!strings.Contains(problems[i].Hint(catalogue.En), "add "+elsewhere+" under outgoing") {
		t.Errorf("%v", problems)
	}
	rules := n.plans.Refused
	n.plans.Refused = nil // as if another node, which may, had let it hold
	applyChecks(t, n, tech+fmt.Sprintf(refused, elsewhere))
	n.plans.Refused = rules
	// What holds already keeps nobody from mending something else.
	applyChecks(t, n, tech+fmt.Sprintf(refused, elsewhere)+"  - {id: second, heartbeat: 20s}\n")
	check := func(id string) controlapi.Check {
		c, _, err := controlapi.Get[controlapi.Check](t.Context(), client, "/checks/shop/"+id, nil)
		if err != nil && continuity.CodeOf(err) != continuity.CodeNotFound {
			t.Fatal(err)
		}
		return c
	}
	is := func(id, state, reason string) func() bool {
		return func() bool {
			c := check(id)
			return c.State == state && (reason == "" && c.Reason == nil || c.Reason != nil && c.Reason.Code == reason)
		}
	}
	eventually(t, "web is up", is("web", "up", ""))
	eventually(t, "what the node does not let out is unknown", is("refused", "unknown", "watch.not-let-out"))
	eventually(t, "no beat has come", is("backup", "unknown", "watch.no-beat"))
	service := func() string {
		list, err := controlapi.List[controlapi.ServiceStatus](t.Context(), client, "/services", nil, 10)
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		return list[0].Status + " " + list[0].Components[0].Status + " " + list[0].Components[1].Status
	}
	if got := service(); got != "unknown operational unknown" {
		t.Error(got)
	}
	if _, err := controlapi.Post[struct{}](t.Context(), client, "/heartbeats/shop/backup?seconds=2.5", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a beat came", is("backup", "up", ""))
	if _, err := controlapi.Post[struct{}](t.Context(), client, "/heartbeats/shop/web", nil); continuity.CodeOf(err) != continuity.CodeState || !strings.Contains(problem.Of(err, catalogue.En).Title, "waits for no heartbeat: it is of kind http") {
		t.Errorf("a beat for what waits for none: %v", err)
	}
	if _, err := controlapi.Post[struct{}](t.Context(), client, "/heartbeats/shop/none", nil); !strings.Contains(problem.Of(err, catalogue.En).Title, "There is no check shop/none.") {
		t.Errorf("a beat for nothing: %v", err)
	}
	if got := service(); got != "unknown operational operational" { // no component names the other checks
		t.Error(got)
	}
	look, err := controlapi.Post[controlapi.CheckLook](t.Context(), client, "/checks/shop/web/look", nil)
	if err != nil || look.State != "up" || len(look.Phases) < 2 || look.Phases[len(look.Phases)-1].Name != "first-byte" {
		t.Errorf("%+v, %v", look, err)
	}

	found, err := n.measures.Query(t.Context(), `holdfast_check_up{service="shop",check="web",node="here"}`, time.Now())
	if err != nil || len(found) != 1 || found[0].Value != 1 {
		t.Errorf("figures: %v, %v", found, err)
	}

	ill.Store(true)
	eventually(t, "web is down", is("web", "down", "watch.status"))
	if got := service(); got != "partial_outage major_outage operational" {
		t.Error(got)
	}
	actions := func() string {
		events, err := controlapi.List[controlapi.Event](t.Context(), client, "/events", url.Values{"kind": {"check"}, "id": {"shop/web"}, "order": {"oldest"}}, 0)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, e := range events {
			all = append(all, e.Action)
		}
		return strings.Join(all, " ")
	}
	eventually(t, "the change is written", func() bool { return actions() == "check.up check.down" })
	since := check("web").Since
	stopNode(t, n)

	n, client = checkingNode(t, dir, strings.TrimPrefix(target.URL, "http://"))
	eventually(t, "web is still down", is("web", "down", "watch.status"))
	eventually(t, "since then", func() bool { return check("web").Since.Sub(since).Abs() < time.Second })
	if beat := check("backup"); beat.State != "unknown" && beat.State != "up" {
		t.Errorf("%+v", beat)
	}
	eventually(t, "the beat is known", is("backup", "up", ""))
	if got := actions(); got != "check.up check.down" {
		t.Error(got)
	}
	applyChecks(t, n, tech)
	eventually(t, "what the plan no longer has is gone", func() bool { return check("refused").ID == "" })
}

// figures are what was appended.
type figures struct{ samples []measure.Sample }

func (f *figures) Append(_ context.Context, s []measure.Sample) error {
	f.samples = append(f.samples, s...)
	return nil
}

// TestCheckSeries ends series of what is not known, once, and of what is gone.
func TestCheckSeries(t *testing.T) {
	to := &figures{}
	s := newCheckSeries(to, slog.New(slog.DiscardHandler))
	at := time.Unix(1_780_000_000, 0)
	took := func() string {
		var all []string
		for _, x := range to.samples {
			text, _ := json.Marshal(x.Value)
			if text == nil {
				text = []byte("gone")
			}
			all = append(all, x.Labels.String()+" "+string(text))
		}
		to.samples = nil
		return strings.Join(all, "\n")
	}
	for _, c := range []struct {
		result continuity.CheckResult
		want   string
	}{
		{continuity.CheckResult{State: continuity.CheckUnknown}, ""},
		{continuity.CheckResult{State: continuity.CheckDegraded, Took: 250 * time.Millisecond}, `{__name__="holdfast_check_up", check="web", node="n1", service="shop"} 1
{__name__="holdfast_check_seconds", check="web", node="n1", service="shop"} 0.25`},
		{continuity.CheckResult{State: continuity.CheckDown, CertExpires: at, Values: map[string]float64{"json": 7}}, `{__name__="holdfast_check_up", check="web", node="n1", service="shop"} 0
{__name__="holdfast_check_seconds", check="web", node="n1", service="shop"} 0
{__name__="holdfast_check_cert_expiry_seconds", check="web", node="n1", service="shop"} 1780000000
{__name__="holdfast_check_value", check="web", name="json", node="n1", service="shop"} 7`},
		{continuity.CheckResult{State: continuity.CheckUnknown}, `{__name__="holdfast_check_up", check="web", node="n1", service="shop"} gone
{__name__="holdfast_check_seconds", check="web", node="n1", service="shop"} gone
{__name__="holdfast_check_cert_expiry_seconds", check="web", node="n1", service="shop"} gone
{__name__="holdfast_check_value", check="web", name="json", node="n1", service="shop"} gone`},
		{continuity.CheckResult{State: continuity.CheckUnknown}, ""},
		{continuity.CheckResult{State: continuity.CheckUp}, `{__name__="holdfast_check_up", check="web", node="n1", service="shop"} 1
{__name__="holdfast_check_seconds", check="web", node="n1", service="shop"} 0`},
	} {
		c.result.Check, c.result.Node, c.result.At = "shop/web", "n1", at
		s.add(t.Context(), []continuity.CheckResult{c.result})
		if got := took(); got != c.want {
			t.Errorf("%s:\n%s\nnot\n%s", c.result.State, got, c.want)
		}
	}
	s.add(t.Context(), []continuity.CheckResult{{Check: "shop/web", Node: "n1", State: continuity.CheckUp, At: time.Now().AddDate(293, 0, 0)}})
	if got := to.samples[0].At; got.After(time.Now()) {
		t.Errorf("a figure of %v", got)
	}
	took()
	// A node that tells other values with each look takes the room of no other.
	many := func(look int) map[string]float64 {
		values := map[string]float64{}
		for i := range mostValues {
			values[fmt.Sprintf("v%d.%d", look, i)] = 1
		}
		return values
	}
	for look := range 5 {
		s.add(t.Context(), []continuity.CheckResult{{Check: "shop/web", Node: "n1", State: continuity.CheckUp, At: at.Add(time.Duration(look) * time.Second), Values: many(look)}})
	}
	if got := took(); strings.Count(got, "holdfast_check_value") != 2*mostValues || s.told["n1"] != mostValues { // each once, and its end
		t.Errorf("%d values, %d remembered", strings.Count(got, "holdfast_check_value"), s.told["n1"])
	}
	s.add(t.Context(), []continuity.CheckResult{{Check: "shop/web", Node: "n1", State: continuity.CheckUp, At: at.Add(2 * valueKept), Values: many(9)}})
	if got := took(); strings.Count(got, `name="v9.`) != mostValues || s.told["n1"] != mostValues {
		t.Errorf("%d values, %d remembered", strings.Count(got, `name="v9.`), s.told["n1"])
	}
	s.keep(t.Context(), nil)
	if len(s.told) != 0 {
		t.Errorf("remembered of a check that is gone: %v", s.told)
	}
	s.add(t.Context(), []continuity.CheckResult{{Check: "shop/web", Node: "n1", State: continuity.CheckUp, At: at, CertExpires: at, Values: map[string]float64{"json": 1}}})
	took()
	s.keep(t.Context(), []watch.Judged{{ID: "shop/web", Nodes: []string{"n1"}}})
	if got := took(); got != "" {
		t.Error(got)
	}
	s.keep(t.Context(), nil)
	if got := took(); strings.Count(got, "gone") != 4 {
		t.Error(got)
	}
}
