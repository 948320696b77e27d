package kill

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"holdfast/internal/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

const controlConfig = `schema: holdfast/control@1
node: NODE
listen: LISTEN
data: DATA
database: {file: database.dsn}
lease: 2s
relays:
  - {id: relay, admin: "http://ADMIN", token: {file: TOKEN}}
outgoing: [127.0.0.0/8]
`

const dayPlan = `schema: holdfast/plan@1
id: orders
name: {en: Orders, zh: 订单}
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
drills: [{id: quarterly, kind: tabletop, every: 3mo, scenarios: [shop-down], lead: commander}]
`

const dayTech = `schema: holdfast/plan-tech@1
plan: orders
allow: [127.0.0.1]
checks:
  - {id: witness, tcp: "WITNESS", every: 1s, timeout: 500ms, down: 1, of: 1, up: 1}
routes:
  - {id: orders, match: {path: /api/orders/**, methods: [POST, PUT, DELETE]}, upstream: "http://SHOP", key: json:/order_no, idempotency: {by: key, remembers: 72h}, hold: {state: on, age: 24h}, health: witness}
`

const dayPeople = `schema: holdfast/people@1
people:
  - {id: li.wei, name: {en: Li Wei, zh: 李伟}, phone: "13800000001"}
  - {id: zhang.min, name: {en: Zhang Min, zh: 张敏}, phone: "13800000002"}
`

// watched is a world that two control nodes on one PostgreSQL watch. What their
// check looks at, the witness, is apart from the shop, so that their word can
// differ from what the relay sees itself.
type watched struct {
	*world

	nodes   [2]*program
	witness string
	open    net.Listener // while the witness is well
}

func watch(t *testing.T, w *world) *watched {
	t.Helper()
	d := &watched{world: w, witness: freePort(t)}
	dsn := pgtest.Database(t)
	write := func(name, text string) string {
		path := filepath.Join(w.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("database.dsn", dsn)
	for i := range d.nodes {
		name, listen := fmt.Sprintf("control-%d", i+1), freePort(t)
		file := write(name+".yaml", strings.NewReplacer(
			"NODE", name, "LISTEN", listen, "DATA", filepath.Join(w.dir, name),
			"ADMIN", d.admin(), "TOKEN", filepath.Join(w.dir, "data", "admin.token")).Replace(controlConfig))
		d.nodes[i] = &program{t: t, path: w.holdfast, args: []string{"control", "--config", file}, url: "http://" + listen + "/readyz"}
		t.Cleanup(func() { d.nodes[i].signal(syscall.SIGKILL) })
	}
	d.well(true)
	t.Cleanup(func() { d.well(false) })
	d.control(func(p *program) { p.start() })
	d.control(func(p *program) { p.ready(w.ctx) })
	d.ask("people", "import", write("people.yaml", dayPeople))
	plan := write("plans/orders.yaml", dayPlan)
	write("plans/orders.tech.yaml", strings.NewReplacer("WITNESS", d.witness, "SHOP", strings.TrimSuffix(strings.TrimPrefix(w.shop.url, "http://"), "/healthz")).Replace(dayTech))
	d.ask("plan", "apply", plan)
	return d
}

func (d *watched) admin() string {
	return strings.TrimSuffix(strings.TrimPrefix(d.relay.url, "http://"), "/readyz")
}

func (d *watched) control(do func(*program)) {
	for _, p := range d.nodes {
		do(p)
	}
}

// ask runs a command against the first control node.
func (d *watched) ask(args ...string) {
	d.t.Helper()
	args = append(args, "--data", filepath.Join(d.dir, "control-1"))
	// #nosec G204 -- built by this test
	if out, err := exec.CommandContext(d.ctx, d.holdfast, args...).CombinedOutput(); err != nil {
		d.t.Fatalf("holdfast %s: %v\n%s\n%s", strings.Join(args, " "), err, out, d.nodes[0].log.Tail())
	}
}

// well lets the witness answer, or not.
func (d *watched) well(yes bool) {
	d.t.Helper()
	if !yes {
		if d.open != nil {
			_ = d.open.Close()
			d.open = nil
		}
		return
	}
	var err error
	if d.open, err = net.Listen("tcp", d.witness); err != nil {
		d.t.Fatal(err)
	}
	go func(l net.Listener) {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}(d.open)
}

// spoken says whether a control node's word on the route stands.
func (d *watched) spoken() bool {
	token, err := os.ReadFile(filepath.Join(d.dir, "data", "admin.token"))
	if err != nil {
		d.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(d.ctx, http.MethodGet, "http://"+d.admin()+"/api/v1/switches", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	var standing []struct {
		Owner string `json:"owner"`
	}
	if err := json.NewDecoder(res.Body).Decode(&standing); err != nil {
		d.t.Fatal(err)
	}
	return slices.ContainsFunc(standing, func(s struct {
		Owner string `json:"owner"`
	}) bool {
		return strings.HasPrefix(s.Owner, "check:")
	})
}

// An hour of the day: how busy it is, and what befalls the shop.
type hour struct {
	answers int
	outage  bool
}

// day is a day of a shop that sells most in the evening.
func day() (hours [24]hour) {
	for i, n := range []int{20, 10, 5, 5, 5, 10, 30, 60, 120, 160, 180, 200, 220, 180, 160, 160, 180, 220, 280, 320, 300, 220, 120, 60} {
		hours[i] = hour{answers: n, outage: i == 3 || i == 10 || i == 19}
	}
	return hours
}

// TestTheRelayGoesOnForADayWithoutItsControlPlane kills the control nodes and
// their database while their word on a route stands. The relay takes that word
// for as long as it was said to hold, and goes by itself for a day's business
// with three outages; no client sees anything of it. When the control plane
// comes back, its word counts again.
func TestTheRelayGoesOnForADayWithoutItsControlPlane(t *testing.T) {
	w := newWorld(t, freePort(t))
	d := watch(t, w)
	w.open()
	w.until(50)
	d.well(false)
	eventually(w.ctx, t, "the control plane's word reaches the relay", d.spoken)

	d.control(func(p *program) { p.signal(syscall.SIGKILL) })
	again := pgtest.Kill(t)
	eventually(w.ctx, t, "the word ends", func() bool { return !d.spoken() })
	for _, hour := range day() {
		w.until(hour.answers / 2)
		if hour.outage {
			w.shop.signal(syscall.SIGKILL)
			w.until(40)
			w.shop.start()
			w.shop.ready(w.ctx)
		}
		w.until(hour.answers / 2)
	}
	w.check("after the day")

	again()
	d.control(func(p *program) { p.start() })
	d.control(func(p *program) { p.ready(w.ctx) })
	eventually(w.ctx, t, "the control plane's word reaches the relay again", d.spoken)
	d.well(true)
	eventually(w.ctx, t, "it is taken back", func() bool { return !d.spoken() })
	w.close()
	for _, c := range w.all {
		for _, r := range c.requests {
			if r.cut > 0 || r.later > 0 {
				t.Errorf("%s: %d connections cut, told %d times to come later", r.ref, r.cut, r.later)
			}
		}
	}
}
