package binding_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
	"holdfast/internal/plan"
)

func example(t *testing.T, name string, edit ...string) *plan.Plan {
	t.Helper()
	file := "../../examples/plans/" + name + ".yaml"
	business, tech := string(read(t, file)), string(read(t, plan.TechName(file)))
	for i := 0; i+1 < len(edit); i += 2 {
		if !strings.Contains(business+tech, edit[i]) {
			t.Fatal("no " + edit[i])
		}
		business, tech = strings.Replace(business, edit[i], edit[i+1], 1), strings.Replace(tech, edit[i], edit[i+1], 1)
	}
	p, problems := plan.Parse(plan.Source{Name: file, Text: []byte(business)}, &plan.Source{Name: plan.TechName(file), Text: []byte(tech)}, nil)
	if p == nil {
		for _, problem := range problems {
			t.Error(problem.Text(catalogue.En))
		}
		t.FailNow()
	}
	return p
}

func TestThresholds(t *testing.T) {
	got := binding.Thresholds(example(t, "payment-outage"))
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	refused, slo := got[0], got[1]
	if r := refused.Rules[0]; refused.ID != "payment-outage.refused" || !refused.Partial || r.Limit != 0.05 || r.For != 3*time.Minute || r.Under || r.Level != "orange" {
		t.Errorf("%+v", refused)
	}
	if slo.ID != "payment-outage.slo.payments-taken" || slo.Source != continuity.FromSLO || len(slo.Rules) != 3 {
		t.Fatalf("%+v", slo)
	}
	if slo.Text.En != "promise not kept: payments-taken" {
		t.Errorf("%+v", slo.Text)
	}
	for i, want := range []struct {
		limit float64
		level string
		says  string
	}{{14.4, "orange", "payments_taken_total[1h]"}, {6, "orange", "payments_total[6h]"}, {1, "yellow", "[3d]"}} {
		if r := slo.Rules[i]; r.Limit != want.limit || r.Level != want.level || !strings.Contains(r.Measure.Exprs[0], want.says) {
			t.Errorf("%+v", r)
		}
	}
	// A week's budget burns less fast until the same share is gone.
	slo = binding.Thresholds(example(t, "web-chat-outage", "window: 30d", "window: 7d"))[1]
	if r := slo.Rules[0]; r.Limit < 3.35 || r.Limit > 3.37 || slo.Rules[2].Limit != 1 {
		t.Errorf("%+v", slo.Rules)
	}
	if e := slo.Rules[0].Measure.Exprs[0]; e != `(1 - avg(avg_over_time(holdfast_check_up{service="web-chat-outage",check="send-and-read"}[1h]))) / 0.005` {
		t.Error(e)
	}
}

func TestMeasuresOfRelaysAndChecks(t *testing.T) {
	for text, want := range map[string]string{
		"{relay: {route: orders, figure: held}}":    `sum(holdfast_relay_backlog_records{job="relay",instance="relay",route="orders",state!="dead"})`,
		"{relay: {route: orders, figure: oldest}}":  `holdfast_relay_backlog_oldest_seconds{job="relay",instance="relay",route="orders"}`,
		"{relay: {route: orders, figure: latency}}": `histogram_quantile(95/100, sum by (le) (rate(holdfast_relay_request_seconds_bucket{job="relay",instance="relay",route="orders"}[5m])))`,
		"{check: place-order}":                      `holdfast_check_seconds{service="order-upgrade",check="place-order"}`,
		"{check: place-order, figure: rows}":        `holdfast_check_value{service="order-upgrade",check="place-order",name="rows"}`,
		"p99 of shop_seconds over 10m":              `histogram_quantile(99/100, sum by (le) (rate(shop_seconds_bucket[10m])))`,
	} {
		p := example(t, "order-upgrade", `histogram_quantile(0.95, sum by (le) (rate(holdfast_relay_request_seconds_bucket{route="orders"}[5m])))`, text)
		if got := binding.Measures(p)["order p95"].Exprs; len(got) != 1 || got[0] != want {
			t.Errorf("%s: %s", text, got)
		}
		if found := binding.Check(p); len(found) > 0 {
			t.Errorf("%s: %v", text, found)
		}
	}
	for _, figure := range []string{"held", "bytes", "oldest", "in-doubt", "dead", "drain", "latency", "failed", "refused", "live"} {
		p := example(t, "order-upgrade", `histogram_quantile(0.95, sum by (le) (rate(holdfast_relay_request_seconds_bucket{route="orders"}[5m])))`, "{relay: {route: orders, figure: "+figure+"}}")
		if found := binding.Check(p); len(found) > 0 {
			t.Errorf("%s: %v", figure, found)
		}
	}
}

func TestRefusedMeasures(t *testing.T) {
	for _, c := range []struct{ plan, from, to, says, zh string }{
		{"payment-outage", "payments taken: payments_taken_total", "payments taken: rate(payments_taken_total", `.tech.yaml:8:19: the measure payments taken can't be read: `, `无法读取指标 payments taken：`},
		{"payment-outage", "payments taken: payments_taken_total", "payments taken: rate(payments_taken_total[5m])", `.yaml:81:6: the promise payments-taken can't be measured: `, `服务承诺 payments-taken 无法度量：`},
		{"web-chat-outage", "window: 30d", "window: 1d", `.yaml:66:51: the window of chat-answered is shorter than 3d`, `chat-answered 的周期短于 3d`},
	} {
		found := binding.Check(example(t, c.plan, c.from, c.to))
		if len(found) != 1 || !strings.Contains(found[0].Text(catalogue.En), c.says) || !strings.Contains(found[0].Text(catalogue.Zh), c.zh) {
			for _, p := range found {
				t.Errorf("%s: %s %s", c.to, p.Text(catalogue.En), p.Text(catalogue.Zh))
			}
			t.Errorf("%d problems, want %s", len(found), c.says)
		}
	}
}

func TestRulesOfChecksReportsAndRoutes(t *testing.T) {
	p := example(t, "payment-outage")
	rules := binding.CheckRules(p)
	if len(rules) != 1 || rules[0].Check != "payment-outage/certificate" || rules[0].State != "degraded" || rules[0].Level != "blue" || rules[0].For != 2*time.Minute {
		t.Errorf("%+v", rules)
	}
	gates := binding.Gates(p)
	if len(gates) != 1 || gates[0] != (binding.Gate{Service: "payment-outage", Relay: "relay", Route: "payments", Check: "payment-outage/gateway"}) {
		t.Errorf("%+v", gates)
	}
	r, there := binding.ReportRule(example(t, "order-upgrade"))
	if !there || r.Count != 3 || r.Within != 10*time.Minute || r.Quiet != 30*time.Minute || r.Level != "yellow" || r.Each != "service" {
		t.Errorf("%+v", r)
	}
	p = example(t, "order-upgrade", "level: yellow, partial: true}", "level: yellow, sign: sends}")
	if got := binding.Thresholds(p)[0]; !got.Partial || got.Sign != "sends" {
		t.Errorf("%+v", got)
	}
}

// TestWhatIsLeftOutIsNoticed takes a part of a plan away from the engines.
func TestWhatIsLeftOutIsNoticed(t *testing.T) {
	for what, edit := range map[string]func(*plan.Plan){
		"":                      func(*plan.Plan) {},
		"a warning's measure":   func(p *plan.Plan) { p.Warnings[0].Measure = "another" },
		"a warning's id":        func(p *plan.Plan) { p.Warnings[0].ID = "" },
		"a promise's objective": func(p *plan.Plan) { p.SLOs[0].Objective = 0 },
		"a check's kind": func(p *plan.Plan) {
			p.Tech.Checks[0] = plan.Check{ID: p.Tech.Checks[0].ID}
		},
	} {
		p := example(t, "payment-outage")
		edit(p)
		if got := binding.Whole(p); got != (what == "") {
			t.Errorf("without %q it is whole: %t", what, got)
		}
	}
}

// TestWhatHasNoIDMakesNoWarning has a plan of which ids could not be read: they
// would all be called the same.
func TestWhatHasNoIDMakesNoWarning(t *testing.T) {
	p := example(t, "payment-outage")
	for i := range p.Warnings {
		p.Warnings[i].ID = ""
	}
	for i := range p.SLOs {
		p.SLOs[i].ID = ""
	}
	if got := binding.Thresholds(p); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if got := binding.CheckRules(p); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}
