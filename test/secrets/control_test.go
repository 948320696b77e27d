package secrets

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/endpoint"
	"holdfast/test/harness"
)

const controlConfig = `schema: holdfast/control@1
node: control-1
listen: 127.0.0.1:0
lease: 1s
outgoing: [127.0.0.0/8]
logs: [@DIR@/shop-logs]
relays:
  - {id: relay, admin: "http://@SHOP@", token: {file: relay.token}}
hooks:
  - {id: tills, secret: {env: TILLS_HOOK}}
metrics:
  remote_write:
    - {url: "http://@SHOP@/write", token: {secret: REMOTE_WRITE}}
secrets: {folder: secrets, env: [SHOP_DSN]}
`

const controlPlan = `schema: holdfast/plan@1
id: shop
name: Shop
owner: li.wei
profile: small
service: {provider: vendor, zone: Asia/Shanghai}
providers:
  - {id: vendor, name: Vendor Inc.}
components:
  - {id: orders, name: Orders, provider: vendor, checks: [buy, denied, stock, lost, database, broken-dsn, carts, failures, odd-lines, backup, no-secret]}
impact:
  - {process: buying, department: sales, mtd: 4h, rto: 1h, rpo: 1m, loss: 2000 CNY/h, needs: [orders], meanwhile: by-phone}
interim:
  - {id: by-phone, how: People call., approved_by: li.wei, approved_on: 2026-03-02}
grades:
  SEV-1: {recover_within: 1h}
roles:
  commander: {people: [li.wei], may: [declare, switch]}
channels:
  - {id: phones, kind: phone, standby: true}
warnings:
  - {id: stock-fails, name: Stock fails, check: stock, state: down, for: 1s, level: red}
scenarios:
  - {id: shop-down, name: Shop down, causes: [software], trigger: {person: true}, grade: SEV-1, runbook: restart}
runbooks:
  - id: restart
    steps:
      - {id: call, say: Call the vendor., owner: commander, within: 10m}
`

const controlTech = `schema: holdfast/plan-tech@1
plan: shop
allow: [127.0.0.0/8]
checks:
  - {id: buy, flow: flows/buy.yaml, every: 2s, timeout: 1s, account: buyer}
  - {id: denied, flow: flows/denied.yaml, every: 2s, timeout: 1s, account: buyer}
  - {id: stock, http: "http://@SHOP@/stock", headers: {X-Api-Key: {secret: STOCK_KEY}}, expect: {body: never-there}, every: 1s, timeout: 500ms}
  - {id: lost, http: "http://@BROKEN@/", headers: {X-Api-Key: {secret: STOCK_KEY}}, every: 1s, timeout: 500ms}
  - {id: no-secret, http: "http://@SHOP@/", headers: {X-Api-Key: {env: SHOP_UNLISTED}}, every: 1s, timeout: 500ms}
  - {id: database, sql: select 1, dsn: {env: SHOP_DSN}, every: 1s, timeout: 500ms}
  - {id: broken-dsn, sql: select 1, dsn: {secret: BAD_DSN}, every: 1s, timeout: 500ms}
  - {id: carts, redis: "@REDIS@", auth: {secret: CARTS}, every: 1s, timeout: 500ms}
  - {id: failures, log: @DIR@/shop-logs/app.log, pattern: ERROR, rate: 1/min, every: 1s, timeout: 1s}
  - {id: odd-lines, log: @DIR@/shop-logs/app.log, unusual: new, learn: 1s, rate: 1/min, every: 1s, timeout: 1s}
  - {id: backup, heartbeat: 1d}
scrape:
  - {id: host, targets: ["http://@SHOP@/figures"], every: 1s, timeout: 500ms, auth: {secret: SCRAPE}}
notices:
  - {id: mail, provider: vendor, kind: mailbox, server: "@REDIS@", user: notices@example.com, auth: {secret: MAILBOX}, every: 1m}
calendars:
  - {id: meetings, kind: meetings, url: "https://@SHOP@/stock", auth: {secret: CALENDAR}}
accounts:
  - {id: buyer, user: buyer@example.com, secret: {secret: BUYER}}
`

const controlFlow = `schema: holdfast/flow@1
id: buy
base: http://@SHOP@
cleanup_timeout: 1s
steps:
  - id: login
    method: POST
    url: /login
    body: {json: {user: "{{account.user}}", password: "{{account.secret}}"}}
    save: {token: /token, session: {cookie: sid}}
  - id: order
    url: /orders?key={{token}}
    headers: {Authorization: "Bearer {{token}}", X-Session: "{{session}}"}
    expect: {@EXPECT@}
`

// controlWorld is a control node among systems.
type controlWorld struct {
	*world

	address string
}

func (c *controlWorld) startControl() {
	c.t.Helper()
	_ = os.Remove(filepath.Join(c.dir, "data", endpoint.Control))
	c.cmd = exec.Command(c.program, "control", "--config", filepath.Join(c.dir, "control.yaml"), "--data", filepath.Join(c.dir, "data"), "--log-level", "debug") // #nosec G204 -- built by this test
	c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr = c.env, &c.log, &c.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.ended = make(chan error, 1)
	go func(cmd *exec.Cmd) { c.ended <- cmd.Wait() }(c.cmd)
	c.until("the node to be ready", func() bool {
		if len(c.ended) > 0 {
			c.t.Fatalf("the node ended:\n%s", c.log.Tail())
		}
		at, err := endpoint.Read(filepath.Join(c.dir, "data"), endpoint.Control)
		if err != nil {
			return false
		}
		c.address = at.Address
		res, err := http.Get("http://" + c.address + "/readyz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// ask asks the API with a token or without, and looks at the answer.
func (c *controlWorld) ask(may []string, token, method, path, body string, header ...string) (int, []byte) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, "http://"+c.address+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.client.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var head bytes.Buffer
	_ = res.Header.Write(&head)
	c.clean(fmt.Sprintf("the answer %d to %s %s", res.StatusCode, method, req.URL.Path), append(head.Bytes(), text...), may...)
	return res.StatusCode, text
}

// field asks for something new and returns a field of what it is told.
func (c *controlWorld) field(name, token, path, body string) string {
	c.t.Helper()
	status, text := c.ask(nil, token, http.MethodPost, path, body, "Idempotency-Key", "the-"+name+"-of-"+path)
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil || status != http.StatusCreated {
		c.t.Fatalf("%s: %d %s", path, status, text)
	}
	value, _ := all[name].(string)
	if value == "" {
		c.t.Fatalf("%s says no %s: %s", path, name, text)
	}
	return value
}

// command runs a command beside the node.
func (c *controlWorld) command(stdin string, args ...string) string {
	c.t.Helper()
	return c.commandFor(patience, stdin, args...)
}

// commandFor ends it after a while.
func (c *controlWorld) commandFor(while time.Duration, stdin string, args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), while)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.program, args...) // #nosec G204 -- built by this test
	cmd.Env = append(slices.Clone(c.env), "HOLDFAST_CONTROL_DATA="+filepath.Join(c.dir, "data"), "HOLDFAST_PERSON=li.wei", "HOME="+c.dir)
	cmd.Stdin = strings.NewReader(stdin)
	out, _ := cmd.CombinedOutput()
	c.clean("the command "+strings.Join(args[:min(len(args), 2)], " "), out)
	return string(out)
}

// parrot says again whatever line it is sent.
func parrot(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(patience))
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					if text := lines.Text(); text != "" && text[0] != '*' && text[0] != '$' && text != "AUTH" {
						_, _ = fmt.Fprintf(conn, "-ERR invalid password '%s'\r\n", text)
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// TestControlSecretsStayWhereTheyBelong runs a control node through its days, with
// secrets wherever it meets them, and searches all that it says and leaves behind.
func TestControlSecretsStayWhereTheyBelong(t *testing.T) {
	w := &world{t: t, dir: t.TempDir(), client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}}}
	c := &controlWorld{world: w}
	c.program = harness.Build(t, c.dir, "holdfast/cmd/holdfast")
	hook := base64.StdEncoding.EncodeToString([]byte("planted-hook-key-0123456"))
	c.planted = secrets{
		"a check's key": "planted-stock-key-4411", "a database's password": "planted-dsn-pw-5512", "a bad DSN's password": "planted-bad-dsn-pw-5513",
		"a cache's password": "planted-redis-pw-6614", "an account's password": "planted-buyer-pw-7715", "a session of the shop": "planted-shop-session-7716", "a token of the shop": "planted-shop-token-7717",
		"a scrape's token": "plantedscrapetoken8818", "a mailbox's password": "planted-mailbox-pw-8819", "a calendar's token": "planted-calendar-8820",
		"a remote write's token": "planted-remote-write-9921", "a relay's token": "planted-relay-token-9922", "an unlisted variable": "planted-unlisted-9923",
		"a hook's secret": hook, "a hook's key": "planted-hook-key-0123456",
		"a user's password": "planted vessel of nine 3101", "another user's password": "planted vessel of ten 3102", "a wrong password": "planted vessel of none 3103", "a refused password": "planted-3104",
		"what is no token": "planted-no-token-3105", "a password in a log": "planted-log-pw-3106", "a cookie": "planted-cookie-3107",
	}
	s := c.planted
	for _, dir := range []string{"secrets", "shop-logs", "plans/flows"} {
		if err := os.MkdirAll(filepath.Join(c.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	shop := newSystem(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("X-Key", r.Header.Get("X-Api-Key"))
		rw.Header().Set("Set-Cookie", "sid="+s["a session of the shop"])
		switch r.URL.Path {
		case "/login":
			_, _ = fmt.Fprintf(rw, `{"token":%q}`, s["a token of the shop"])
		case "/figures":
			_, _ = fmt.Fprintf(rw, "broken{%s\n", r.Header.Get("Authorization")) // what can't be read
		case "/orders":
			_, _ = fmt.Fprintf(rw, `{"seen":%q}`, r.Header.Get("Authorization"))
		default: // says again all that it was told
			rw.WriteHeader(http.StatusUnauthorized)
			_, _ = fmt.Fprintf(rw, `{"refused":%q}`, fmt.Sprint(r.Header))
		}
	})
	places := strings.NewReplacer("@SHOP@", shop.address, "@REDIS@", parrot(t), "@DIR@", c.dir,
		"@BROKEN@", broken(t, "HTTP/1.1 200 "+s["a check's key"]+"\r\nX-Key "+s["a check's key"]+"\r\n\r\n"))
	for name, text := range map[string]string{
		"control.yaml": controlConfig, "relay.token": s["a relay's token"] + "\n",
		"secrets/STOCK_KEY": s["a check's key"], "secrets/BAD_DSN": "postgres://shop:" + s["a bad DSN's password"] + "@127.0.0.1:nowhere/shop?sslmode=%zz",
		"secrets/CARTS": s["a cache's password"], "secrets/BUYER": s["an account's password"], "secrets/SCRAPE": s["a scrape's token"],
		"secrets/MAILBOX": s["a mailbox's password"], "secrets/CALENDAR": s["a calendar's token"], "secrets/REMOTE_WRITE": s["a remote write's token"],
		"plans/shop.yaml": controlPlan, "plans/shop.tech.yaml": controlTech,
		"plans/flows/buy.yaml":    strings.Replace(controlFlow, "@EXPECT@", "status: 200", 1),
		"plans/flows/denied.yaml": strings.NewReplacer("@EXPECT@", "json: [{at: /seen, is: nothing}]", "id: buy", "id: denied").Replace(controlFlow),
		"shop-logs/app.log":       "started\n",
		"people.csv":              "id,name\nli.wei,Li Wei\n",
	} {
		c.file(name, places.Replace(text))
	}
	c.env = append(os.Environ(), "TILLS_HOOK=whsec_"+hook, "SHOP_DSN=postgres://shop:"+s["a database's password"]+"@127.0.0.1:1/shop", "SHOP_UNLISTED="+s["an unlisted variable"], "HOLDFAST_DIR=", "LANG=C")
	c.startControl()
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	admin := c.read("data/admin.token")
	s["the node's own token"] = admin

	// People, and what they are given.
	add := func(id, role, password string) int {
		status, _ := c.ask(nil, admin, http.MethodPost, "/api/v1/users", fmt.Sprintf(`{"id":%q,"role":%q,"password":%q}`, id, role, password))
		return status
	}
	if a, b := add("ann", "admin", s["a user's password"]), add("bob", "viewer", s["another user's password"]); a != http.StatusCreated || b != http.StatusCreated {
		t.Fatal(a, b)
	}
	if got := add("cid", "viewer", s["a refused password"][:8]); got < 400 {
		t.Error("a short password is taken:", got)
	}
	// The new ones are planted only now: their own answers show them.
	session := c.field("token", "", "/api/v1/sessions", fmt.Sprintf(`{"user":"ann","password":%q}`, s["a user's password"]))
	issued := c.field("secret", session, "/api/v1/tokens", `{"name":"ci","scopes":["plans:read","heartbeats:write"]}`)
	s["a session"], s["a token"] = session, issued

	people := c.command("", "people", "import", filepath.Join(c.dir, "people.csv"))
	if out := c.command("", "plan", "apply", filepath.Join(c.dir, "plans/shop.yaml")); !strings.Contains(c.command("", "plan", "list"), "shop") {
		t.Fatal("the plan does not hold:\n", people, out)
	}

	for _, try := range []string{
		fmt.Sprintf(`{"user":"ann","password":%q}`, s["a wrong password"]),
		fmt.Sprintf(`{"user":"nobody","password":%q}`, s["a wrong password"]),
		fmt.Sprintf(`{"user":%q,"password":"x"}`, s["a wrong password"]), // in the wrong field
		fmt.Sprintf(`{"password":%q}`, s["a wrong password"]),
		fmt.Sprintf(`{"user":"ann","password":[%q]}`, s["a wrong password"]),
		fmt.Sprintf(`{"user":"ann","password":%q`, s["a wrong password"]),
		fmt.Sprintf(`{"user":"ann","passwort":%q}`, s["a wrong password"]),
	} {
		if status, text := c.ask(nil, "", http.MethodPost, "/api/v1/sessions", try); status < 400 {
			t.Errorf("%s: %d %s", try, status, text)
		}
	}
	c.ask(nil, session, http.MethodPut, "/api/v1/users/ann/password", fmt.Sprintf(`{"current":%q,"password":%q}`, s["a wrong password"], s["a refused password"]))
	c.ask(nil, session, http.MethodPost, "/api/v1/users", fmt.Sprintf(`{"id":"dan","role":"root","password":%q}`, s["a refused password"]))
	c.ask(nil, session, http.MethodPost, "/api/v1/tokens", `{"name":"ci","scopes":["plans:eat"]}`)
	c.ask(nil, session, http.MethodPost, "/api/v1/tokens", `{"name":"ci","scopes":["plans:read","heartbeats:write"]}`, "Idempotency-Key", "the-secret-of-/api/v1/tokens") // a repeat
	c.ask(nil, s["what is no token"], http.MethodGet, "/api/v1/plans", "")
	c.ask(nil, issued[:len(issued)-2]+"aa", http.MethodGet, "/api/v1/plans", "")
	c.ask(nil, "", http.MethodGet, "/api/v1/plans", "", "Cookie", "__Host-holdfast="+s["a cookie"])
	c.ask(nil, "", http.MethodGet, "/api/v1/plans?token="+s["what is no token"], "")
	c.ask(nil, issued, http.MethodPost, "/api/v1/heartbeats/shop/backup", "")
	c.ask(nil, issued, http.MethodPost, "/api/v1/heartbeats/shop/none", "")
	for _, signature := range []string{"v1," + hook, "v1,eA==", hook} {
		c.ask(nil, "", http.MethodPost, "/api/v1/in/webhook/tills", `{"type":"signal.firing"}`, "webhook-id", "1", "webhook-timestamp", fmt.Sprint(time.Now().Unix()), "webhook-signature", signature)
	}
	c.ask(nil, issued, http.MethodPost, "/api/v1/in/alertmanager", `{"alerts":[]}`)
	tech := c.read("plans/shop.tech.yaml")
	c.file("plans/shop.tech.yaml", strings.Replace(tech, "dsn: {env: SHOP_DSN}", "dsn: postgres://shop:"+s["a database's password"]+"@127.0.0.1:1/shop", 1))
	for _, do := range []string{"check", "apply"} {
		if out := c.command("", "plan", do, filepath.Join(c.dir, "plans/shop.yaml")); !strings.Contains(out, "shop.tech.yaml:") {
			t.Errorf("a secret in the open is taken:\n%s", out)
		}
	}
	c.file("plans/shop.tech.yaml", tech)

	logged, err := os.OpenFile(filepath.Join(c.dir, "shop-logs/app.log"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer logged.Close()
	states := func() map[string]string {
		_, text := c.ask(nil, session, http.MethodGet, "/api/v1/checks", "")
		var page struct{ Items []struct{ ID, State string } }
		if err := json.Unmarshal(text, &page); err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, i := range page.Items {
			all[strings.TrimPrefix(i.ID, "shop/")] = i.State
		}
		return all
	}
	want := map[string]string{"buy": "up", "denied": "down", "stock": "down", "lost": "down", "database": "down", "carts": "down", "failures": "down"}
	c.until("all checks to be as they are", func() bool {
		_, _ = fmt.Fprintf(logged, "ERROR login failed password=%s for %s\nconnect postgres://shop:%s@db/shop refused\n", s["a password in a log"], s["a password in a log"], s["a password in a log"])
		all := states()
		for id, state := range want {
			if all[id] != state {
				return false
			}
		}
		return all["no-secret"] == "unknown" && all["broken-dsn"] == "unknown"
	})
	c.until("a warning", func() bool {
		_, text := c.ask(nil, session, http.MethodGet, "/api/v1/warnings", "")
		return bytes.Contains(text, []byte("stock-fails"))
	})
	c.until("a remote write", func() bool { return bytes.Contains(shop.heads(), []byte(s["a remote write's token"])) })
	c.searchControl(session, issued, admin)

	c.stop()
	c.startControl() // what it left is read again
	c.until("the figures after a restart", func() bool {
		_, text := c.ask(nil, session, http.MethodGet, "/api/v1/measures/query?query=count(holdfast_check_up)", "")
		return bytes.Contains(text, []byte("value"))
	})
	c.searchControl(session, issued, admin)
	c.stop()
	c.clean("the log", []byte(c.log.String()))
	c.searchControlFiles()

	c.env = append(c.env, "BROKEN_DATABASE=postgres://shop:"+s["a database's password"]+"@127.0.0.1:1/shop")
	for _, dsn := range []string{"{env: BROKEN_DATABASE}", "{file: secrets/BAD_DSN}", "postgres://shop:" + s["a database's password"] + "@127.0.0.1:1/shop"} {
		c.file("bad.yaml", "schema: holdfast/control@1\ndatabase: "+dsn+"\n")
		if out := c.commandFor(3*time.Second, "", "control", "--config", filepath.Join(c.dir, "bad.yaml"), "--data", filepath.Join(c.dir, "other")); strings.Contains(out, "control node ready") {
			t.Error("a node without its database is ready")
		}
	}
}

// searchControl asks for all that there is.
func (c *controlWorld) searchControl(session, issued, admin string) {
	c.t.Helper()
	var description struct{ Paths map[string]map[string]any }
	_, text := c.ask(nil, "", http.MethodGet, "/api/v1/openapi.json", "")
	if err := json.Unmarshal(text, &description); err != nil {
		c.t.Fatal(err)
	}
	known := strings.NewReplacer("{service}", "shop", "{check}", "stock", "{number}", "1", "{seq}", "3", "{node}", "north")
	asked := 0
	for path, methods := range description.Paths {
		if methods["get"] == nil || strings.HasSuffix(path, "/stream") || path == "/api/v1/openapi.json" {
			continue
		}
		asked++
		for _, token := range []string{session, issued, admin, ""} {
			c.ask(nil, token, http.MethodGet, known.Replace(path), "")
		}
	}
	if asked < 25 {
		c.t.Errorf("asked only %d places", asked)
	}
	for _, path := range []string{"/metrics", "/api/v1/events?limit=1000", "/api/v1/prometheus/api/v1/query?query=%7B__name__%3D~%22.%2B%22%7D", "/api/v1/prometheus/api/v1/labels", "/api/v1/prometheus/api/v1/label/__name__/values", "/api/v1/checks/shop/carts", "/api/v1/warnings/shop.stock-fails", "/api/v1/users/ann", "/api/v1/plans/shop/versions/1/files"} {
		if status, text := c.ask(nil, session, http.MethodGet, path, ""); status != http.StatusOK {
			c.t.Errorf("%s: %d %s", path, status, text)
		}
	}
	if _, events := c.ask(nil, session, http.MethodGet, "/api/v1/events?limit=1000", ""); bytes.Contains(events, []byte("argon2")) {
		c.t.Error("an event shows a password's hash")
	}
	if _, state := c.ask(nil, session, http.MethodGet, "/api/v1/state", ""); bytes.Count(state, []byte("$argon2id$")) != 2 {
		c.t.Errorf("the archive has %d hashes of passwords, not 2", bytes.Count(state, []byte("$argon2id$")))
	}
	for _, args := range [][]string{
		{"event", "list", "--json"}, {"event", "verify"}, {"check", "list", "--json"}, {"check", "show", "shop/stock", "--json"}, {"check", "run", "shop/stock"}, {"check", "run", "shop/carts"}, {"check", "run", "shop/denied"},
		{"check", "run", "shop/broken-dsn"}, {"check", "run", "shop/no-secret"}, {"check", "run", "shop/database"}, {"warning", "list"}, {"notice", "list"}, {"notice", "sources"}, {"calendar", "list"},
		{"measure", "query", "holdfast_check_up"}, {"user", "list", "--json"}, {"token", "list", "--json"}, {"plan", "show", "shop"}, {"plan", "check", filepath.Join(c.dir, "plans/shop.yaml")},
		{"state", "export", filepath.Join(c.dir, "data", fmt.Sprintf("export-%d.jsonl", time.Now().UnixNano()))},
	} {
		c.command("", args...)
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", c.cmd.Process.Pid))
	if err != nil {
		c.t.Fatal(err)
	}
	c.clean("the command line of the node", line)
}

// searchControlFiles searches the data folder: only the node's own token is in it,
// in its file.
func (c *controlWorld) searchControlFiles() {
	c.t.Helper()
	seen := 0
	err := filepath.WalkDir(filepath.Join(c.dir, "data"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		seen++
		info, err := e.Info()
		if err != nil {
			return err
		}
		place, err := filepath.Rel(c.dir, path)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 && !strings.HasPrefix(place, "data/measures") {
			c.t.Errorf("%s can be read by others: %s", place, info.Mode())
		}
		var may []string
		if place == "data/admin.token" {
			may = []string{"the node's own token"}
		}
		c.clean(place, text, may...)
		return nil
	})
	if err != nil || seen < 6 {
		c.t.Errorf("%d files: %v", seen, err)
	}
}
