package binding_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/logs"
	"holdfast/internal/outgoing"
	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/kinds"
)

const upgrade = "../../examples/plans/order-upgrade.yaml"

// TestFlowsOfExamples holds the example plans to the flows beside them.
func TestFlowsOfExamples(t *testing.T) {
	tools := probe.NewTools("here", outgoing.New(outgoing.Policy{}, nil), nil, nil)
	for _, file := range []string{upgrade, "../../examples/plans/web-chat-outage.yaml"} {
		p := parsed(t, file, read(t, strings.TrimSuffix(file, ".yaml")+".tech.yaml"))
		p.Files = map[string]string{}
		for _, name := range p.FileNames() {
			p.Files[name] = string(read(t, filepath.Join(filepath.Dir(file), name)))
		}
		for _, problem := range binding.Check(p) {
			t.Error(problem.Text(catalogue.En))
		}
		for _, o := range binding.Orders(p) {
			if o.Check.Flow == "" {
				continue
			}
			spec, err := o.Spec(later)
			if err != nil {
				t.Fatal(err)
			}
			if o.Check.ID == "place-order" && spec.Target != "http://127.0.0.1:9001" || spec.Timeout < 20*time.Second || spec.User == "" {
				t.Errorf("%+v", spec)
			}
			if _, err := kinds.New(spec, tools); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestFlowsThatAreRefused(t *testing.T) {
	const where = "examples/plans"
	flow := string(read(t, "../../"+where+"/flows/place-order.yaml"))
	tech := string(read(t, strings.TrimSuffix(upgrade, ".yaml")+".tech.yaml"))
	for name, c := range map[string]struct {
		tech, flow [2]string // from, to
		none       bool
		says       string
	}{
		"no file":       {none: true, says: "order-upgrade.tech.yaml:5:65: there is no file flows/place-order.yaml"},
		"bad flow":      {flow: [2]string{"url: /api/goods", "url: api/goods"}, says: "flows/place-order.yaml:11:10: api/goods?limit=1 is not a path"},
		"no account":    {tech: [2]string{", account: test-shopper}", "}"}, says: "needs an account"},
		"no direct":     {flow: [2]string{"direct: http://127.0.0.1:9001\n", ""}, says: "has no direct address"},
		"too often":     {tech: [2]string{"every: 1m", "every: 25s"}, says: "steps and clean-up may take 30s"},
		"private place": {flow: [2]string{"direct: http://127.0.0.1:9001", "direct: http://10.1.2.3"}, says: "10.1.2.3 is a private address"},
		"no use of it":  {flow: [2]string{"{{account.user}}", "nobody"}, says: "uses no account"},
	} {
		change := func(text string, c [2]string) string {
			out := strings.Replace(text, c[0], c[1], 1)
			if c[0] != "" && out == text {
				t.Fatalf("%s: nothing changed", name)
			}
			return out
		}
		p := parsed(t, upgrade, []byte(change(tech, c.tech)))
		p.Files = map[string]string{"flows/place-order.yaml": change(flow, c.flow)}
		if c.none {
			p.Files = map[string]string{}
		}
		found := binding.Check(p)
		if !slices.ContainsFunc(found, func(p problem) bool { return strings.Contains(p.Text(catalogue.En), c.says) }) {
			t.Errorf("%s: %v, not %q", name, found, c.says)
		}
		for _, p := range found {
			for _, text := range []string{p.What(catalogue.Zh), p.Hint(catalogue.Zh), p.Hint(catalogue.En)} {
				if strings.HasPrefix(text, "watch.") || strings.Contains(text, "<no value>") {
					t.Errorf("%s: %q", p.ID, text)
				}
			}
		}
	}
}

func TestLogsAndHost(t *testing.T) {
	p := withChecks(t, "", `
  - {id: errors, log: /var/log/shop/*.log, pattern: "ERROR|timeout", rate: 6/min, every: 45s, down: 2, of: 3, quiet: 15m, encoding: gbk, begins: "^[0-9]{4}-"}
  - {id: unusual, log: /var/log/shop/app.log, unusual: new, learn: 2d}
  - {id: disk, host: disk, device: /var, over: 90%}
`)
	if problems := binding.Check(p); len(problems) > 0 {
		t.Errorf("%v", problems)
	}
	tools := probe.NewTools("here", outgoing.New(outgoing.Policy{}, nil), nil, nil)
	tools.Logs = logs.NewSet("")
	defer tools.Logs.Close()
	specs := map[string]probe.Spec{}
	for _, o := range binding.Orders(p) {
		spec, err := o.Spec(later)
		if err == nil {
			_, err = kinds.New(spec, tools)
		}
		if err != nil {
			t.Error(err)
		}
		specs[o.Check.ID] = spec
	}
	errors, unusual, disk := specs["errors"], specs["unusual"], specs["disk"]
	if l := errors.Log; errors.Target != "/var/log/shop/*.log" || l.Pattern.String() != "ERROR|timeout" || l.Rate != 0.1 || l.Window != 90*time.Second || l.Quiet != 15*time.Minute || l.Encoding != "gbk" || l.Begins == nil {
		t.Errorf("%+v", errors)
	}
	if l := unusual.Log; l.Unusual != probe.Unseen || l.Learn != 48*time.Hour || l.Window != time.Minute || l.Encoding != logs.Auto {
		t.Errorf("%+v", unusual)
	}
	if disk.Target != "disk" || disk.Device != "/var" || disk.Over != 0.9 {
		t.Errorf("%+v", disk)
	}
	for bad, says := range map[string]string{
		"log: logs/a.log, pattern: x":           "no absolute path",
		"log: /var/log/../../etc/x, pattern: x": "no absolute path",
		"log: '/var/log/[', pattern: x":         "no absolute path",
		"log: /var/log/a, pattern: 'x*'":        "matches every line",
	} {
		found := binding.Check(withChecks(t, "", fmt.Sprintf("  - {id: bad, %s}\n", bad)))
		if !slices.ContainsFunc(found, func(p problem) bool { return strings.Contains(p.Text(catalogue.En), says) }) {
			t.Errorf("%s: %v", bad, found)
		}
	}
}
