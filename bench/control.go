package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"holdfast/internal/continuity"
	state "holdfast/internal/store"
)

// What a control node knows in the rows about its API.
const (
	controlServices = 500
	controlChecks   = 4 // of each service
	controlWarnings = 10_000
	controlYear     = 365 * 24 * time.Hour // over which they happened
	controlAsks     = 60                   // of each kind
)

const controlSettings = `
node: bench
listen: 127.0.0.1:PORT
data: DATA
outgoing: [127.0.0.0/8]
`

// controlPlan is a small firm's plan.
const controlPlan = `schema: holdfast/plan@1
id: ID
name: Shop ID
owner: li.wei
profile: small
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
drills: [{id: yearly, kind: tabletop, every: 3mo, scenarios: [shop-down], lead: commander}]
`

const controlTech = `schema: holdfast/plan-tech@1
plan: ID
checks:
  - {id: check-0, heartbeat: 1d}
  - {id: check-1, heartbeat: 1d}
  - {id: check-2, heartbeat: 1d}
  - {id: check-3, heartbeat: 1d}
`

// controlNode is a control node that runs.
type controlNode struct {
	url, token string
	pid        int
	stop       func()
}

// controlRows ask the API of a node that knows much, one request after the other
// over one connection; the time is until the whole answer is there.
func (b *bench) controlRows() error {
	if err := b.buildHoldfast(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(b.dir, "control-")
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	file := filepath.Join(data, "state.db")
	if err := fillPeople(file); err != nil {
		return err
	}
	node, err := b.startControl(dir, data)
	if err != nil {
		return err
	}
	for i := range controlServices {
		if err := node.submit(serviceID(i)); err != nil {
			node.stop()
			return err
		}
	}
	node.stop()
	began := time.Now()
	if err := historyOf(file, b.events); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d events restored in %.0f s\n", b.events, time.Since(began).Seconds())
	began = time.Now()
	if node, err = b.startControl(dir, data); err != nil {
		return err
	}
	defer node.stop()
	b.row(fmt.Sprintf("control node with %d plans, %d events: start to ready", controlServices, b.events), fmt.Sprintf("%.1f s", time.Since(began).Seconds()), "")
	random := rand.New(rand.NewPCG(1, 2))
	service := func() string { return serviceID(random.IntN(controlServices)) }
	var worst time.Duration
	for _, kind := range []struct {
		what string
		path func() string
	}{
		{"plans", func() string { return "/plans?limit=500" }},
		{"one plan", func() string { return "/plans/" + service() }},
		{"checks, a page of 100", func() string { return "/checks" }},
		{"warnings, a page of 100", func() string { return "/warnings" }},
		{"newest events", func() string { return "/events" }},
		{"events, a page of 1,000", func() string { return "/events?limit=1000&service=" + service() }},
		{"events of a service", func() string { return "/events?service=" + service() }},
		{"events of an object", func() string { return "/events?kind=check&id=" + url.QueryEscape(checkID(service(), 1)) }},
		{"events of an hour", func() string {
			at := time.Now().Add(-time.Duration(random.IntN(8760)) * time.Hour).UTC()
			return "/events?after=" + at.Format(time.RFC3339) + "&before=" + at.Add(time.Hour).Format(time.RFC3339)
		}},
	} {
		var took []time.Duration
		for range controlAsks {
			path := kind.path()
			more := "?"
			if strings.Contains(path, "?") {
				more = "&"
			}
			cursor := ""
			for range 3 { // and the pages after it
				began := time.Now()
				next, err := node.page(path + cursor)
				if err != nil {
					return err
				}
				took = append(took, time.Since(began))
				if next == "" {
					break
				}
				cursor = more + "cursor=" + url.QueryEscape(next)
			}
		}
		p95 := figures{latency: took}.percentile(0.95)
		worst = max(worst, p95)
		b.row("API p95: "+kind.what, fmt.Sprintf("%.1f ms", millis(p95)), "")
	}
	b.row("API p95, the slowest of these", fmt.Sprintf("%.1f ms", millis(worst)), "< 100 ms")
	return nil
}

func serviceID(i int) string               { return fmt.Sprintf("service-%03d", i) }
func checkID(service string, i int) string { return fmt.Sprintf("%s/check-%d", service, i) }

var controlEngine = continuity.Actor{Kind: "engine", ID: "watch", Via: "bench"}

// fillPeople writes those whom the plans name.
func fillPeople(file string) error {
	ctx := context.Background()
	s, err := state.Open(ctx, "sqlite:"+file)
	if err != nil {
		return err
	}
	defer s.Close()
	_, err = s.People().Import(ctx, controlEngine, []continuity.Person{
		{ID: "li.wei", Names: map[string]string{"zh": "李伟"}, Addresses: []continuity.Address{{Kind: "phone", Value: "13800000001"}}},
		{ID: "zhang.min", Names: map[string]string{"zh": "张敏"}, Addresses: []continuity.Address{{Kind: "phone", Value: "13800000002"}}},
	}, "bench")
	return err
}

// startControl runs a node and returns once it is ready.
func (b *bench) startControl(dir, data string) (*controlNode, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "control.yaml")
	if err := os.WriteFile(file, []byte(strings.NewReplacer("PORT", port, "DATA", data).Replace(controlSettings)), 0o600); err != nil {
		return nil, err
	}
	d, err := place{dir: dir, env: os.Environ()}.daemon(b.binary, "control", "--config", file)
	if err != nil {
		return nil, err
	}
	n := &controlNode{url: "http://127.0.0.1:" + port, pid: d.cmd.Process.Pid, stop: func() {
		d.quit = syscall.SIGTERM
		d.stop()
	}}
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		res, err := http.Get(n.url + "/readyz")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(end) {
			n.stop()
			return nil, fmt.Errorf("the control node did not become ready: %w", err)
		}
	}
	token, err := os.ReadFile(filepath.Join(data, "admin.token"))
	if err != nil {
		n.stop()
		return nil, err
	}
	n.token = strings.TrimSpace(string(token))
	return n, nil
}

func (n *controlNode) do(method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, n.url+"/api/v1"+path, strings.NewReader(string(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+n.token)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, text)
	}
	return json.Unmarshal(text, out)
}

func (n *controlNode) page(path string) (next string, err error) {
	var page struct {
		Next string `json:"next"`
	}
	return page.Next, n.do(http.MethodGet, path, nil, &page)
}

func (n *controlNode) submit(service string) error {
	var out json.RawMessage
	return n.do(http.MethodPost, "/plans/"+service+"/versions", map[string]any{
		"base": 0, "plan": strings.ReplaceAll(controlPlan, "ID", service), "tech": strings.ReplaceAll(controlTech, "ID", service), "reason": "bench",
	}, &out)
}
