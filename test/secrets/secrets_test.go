package secrets

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/loopback"
	"holdfast/test/harness"
)

const config = `listen: @RELAY@
admin: {listen: @ADMIN@}
journal: {segment: 1MiB, size: 64MiB}
routes:
  - id: orders
    match: {path: /orders/**}
    upstream: http://@SHOP@
    detect: {check: {path: /healthz, every: 100ms, down: 1, up: 1}}
    standby: {upstream: http://@STANDBY@}
    key: json:/phone
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on, bytes: 32MiB}
    answer: {status: 202}
    settle: 1s
    timeouts: {connect: 500ms, attempt: 1s}
    sensitive: {fields: [json:/pin], headers: [X-Pin], query: [pin]}
    receipt: {webhook: {url: "http://@HOOK@/in?key=@HOOKURL@", secret: {env: HOOK_SECRET}}}
    reconcile: {driver: postgres, dsn: {env: LIST_DSN}, query: select 1}
    record: all
    keep: 7d
    reply: {}
  - id: apps
    match: {path: /apps/**}
    upstream: http://@SHOP@
    detect: {check: {path: /healthz, every: 100ms, down: 1, up: 1}}
    key: json:/phone
    idempotency: {by: key, remembers: 72h}
    caller: {jwt: {secret: jwt.secret, issuer: us, audience: apps}}
    hold: {state: on, bytes: 32MiB, credentials: true}
    answer: {status: 202}
    sensitive: {fields: [json:/pin], headers: [X-Pin], query: [pin], then: drop}
    reconcile: {driver: mysql, dsn: {file: mysql.dsn}, query: select 1}
  - id: partners
    match: {path: /partners/**}
    upstream: http://@SHOP@
    detect: {check: {path: /healthz, every: 100ms, down: 1, up: 1}}
    key: json:/phone
    idempotency: {by: key, remembers: 72h}
    caller: {hmac: {keys: callers.keys}}
    hold: {state: on, bytes: 32MiB}
    answer: {status: 202}
    reconcile: {driver: http, url: "http://@SHOP@/fails?key=@LISTURL@", token: {file: list.token}, pages: {key: json:/no}}
  - id: tills
    match: {path: /tills/**}
    upstream: http://@SHOP@
    detect: {check: {path: /healthz, every: 100ms, down: 1, up: 1}}
    key: json:/phone
    idempotency: {by: key, remembers: 72h}
    caller: {api_key: {file: api-keys}}
    hold: {state: on, bytes: 32MiB, credentials: true}
    answer: {status: 202}
  - id: remote
    match: {path: /remote/**}
    upstream: http://@SHOP@
    detect: {check: {path: /healthz, every: 100ms, down: 1, up: 1}}
    key: json:/phone
    idempotency: {by: key, remembers: 72h}
    caller: {jwt: {jwks: "http://@STANDBY@/fails?key=@JWKSURL@", issuer: us, audience: apps}}
    hold: {state: on, bytes: 32MiB, credentials: true}
    answer: {status: 202}
  - id: away
    match: {path: /away/**}
    upstream: http://@SHOP@
    detect: {check: {path: /healthz, every: 100ms, down: 1, up: 1}}
    key: json:/phone
    idempotency: {by: key, remembers: 72h}
    caller: {jwt: {jwks: "http://127.0.0.1:1/keys?key=@JWKSURL@", issuer: us, audience: apps}}
    hold: {state: on, bytes: 32MiB, credentials: true}
    answer: {status: 202}
  - id: messages
    match: {path: /wecom/**}
    upstream: http://@SHOP@
    detect: {check: {path: /healthz, every: 100ms, down: 1, up: 1}}
    rewrite: {host: qyapi.test, strip: /wecom}
    sign: {by: wecom, id: corp, secret: {file: wecom.secret}}
    key: json:/phone
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on, bytes: 32MiB}
    answer: {status: 202}
  - id: broken
    match: {path: /broken/**}
    upstream: http://@BROKEN@
    key: json:/phone
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on, bytes: 32MiB}
    answer: {status: 202}
`

// newWorld plants the secrets.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}}}
	w.program = harness.Build(t, w.dir, "holdfast/cmd/holdfast")
	for _, at := range []*string{&w.relayAt, &w.adminAt} {
		address, err := loopback.Address()
		if err != nil {
			t.Fatal(err)
		}
		*at = address
	}
	hook := base64.StdEncoding.EncodeToString([]byte("planted-hook-secret-0123"))
	w.planted = secrets{
		"a bearer token": "planted-bearer-7d1f", "a cookie": "planted-cookie-55aa", "a password": "planted-basic-pw-90", "an API key": "planted-api-key-4417",
		"the JWT secret": "planted-jwt-secret-of-thirty-two-bytes", "an HMAC secret": "planted-hmac-secret-31", "a signer's secret": "planted-signer-secret-8",
		"a provider's token": "planted-provider-token-3", "a webhook's secret": hook, "a webhook's raw secret": "planted-hook-secret-0123", "a webhook's URL": "planted-hook-url-72",
		"a list's token": "planted-list-token-19", "a list's URL": "planted-list-url-66", "an issuer's URL": "planted-jwks-url-23",
		"a database's password": "planted-dsn-pass-81", "a database's password in a file": "planted-dsn-pass-82",
		"a card number": "4111111111111111", "a verification code": "903817", "a PIN": "planted-pin-2580", "a telephone number": "13800138000",
		"a name": "planted-name-王小明", "a query": "planted-query-47", "a system's cookie": "planted-set-cookie-12", "a system's answer": "planted-answer-34",
		"bad bytes": "planted-garbage-56",
	}
	w.file("jwt.secret", w.planted["the JWT secret"]+"\n")
	w.file("callers.keys", "bank:"+w.planted["an HMAC secret"]+"\n")
	w.file("wecom.secret", w.planted["a signer's secret"]+"\n")
	w.file("list.token", w.planted["a list's token"]+"\n")
	w.file("mysql.dsn", "holdfast:"+w.planted["a database's password in a file"]+"@tcp(127.0.0.1:1)/shop\n")
	sum := sha256.Sum256([]byte(w.planted["an API key"]))
	w.file("api-keys", "till:sha256:"+hex.EncodeToString(sum[:])+"\n")
	w.env = append(os.Environ(), "HOOK_SECRET=whsec_"+hook, "LIST_DSN=postgres://holdfast:"+w.planted["a database's password"]+"@127.0.0.1:1/shop", "HOLDFAST_DIR=")
	return w
}

// order is a body with what is personal in it.
func (w *world) order(more string) string {
	return fmt.Sprintf(`{"phone":%q,"name":%q,"n":1%s}`, w.planted["a telephone number"], w.planted["a name"], more)
}

// TestRule10_1_SecretsStayWhereTheyBelong runs a relay through what it does with
// requests, with secrets in all of them, and searches its log, figures, answers,
// files and commands.
func TestRule10_1_SecretsStayWhereTheyBelong(t *testing.T) {
	w := newWorld(t)
	s := w.planted
	shop := newSystem(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Set-Cookie", "sid="+s["a system's cookie"])
		rw.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/cgi-bin/gettoken":
			fmt.Fprintf(rw, `{"errcode":0,"access_token":%q,"expires_in":7200}`, s["a provider's token"])
		case "/fails":
			rw.WriteHeader(http.StatusInternalServerError)
		default:
			fmt.Fprintf(rw, `{"errcode":0,"said":%q}`, s["a system's answer"])
		}
	})
	standby := newSystem(t, func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(http.StatusServiceUnavailable) })
	hook := newSystem(t, func(rw http.ResponseWriter, r *http.Request) { rw.WriteHeader(http.StatusInternalServerError) })
	garbage := broken(t, "HTTP/1.1 200 OK\r\nX-Token "+s["bad bytes"]+"\r\nContent-Length: "+s["bad bytes"]+"\r\n\r\n")
	w.file("relay.yaml", strings.NewReplacer("@RELAY@", w.relayAt, "@ADMIN@", w.adminAt, "@SHOP@", shop.address, "@STANDBY@", standby.address, "@HOOK@", hook.address, "@BROKEN@", garbage,
		"@HOOKURL@", s["a webhook's URL"], "@LISTURL@", s["a list's URL"], "@JWKSURL@", s["an issuer's URL"]).Replace(config))
	w.start()
	t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	w.bearer = w.read("data/admin.token")

	credentials := []string{"Authorization", "Bearer " + s["a bearer token"], "Cookie", "sid=" + s["a cookie"]}
	token := jwt(s["the JWT secret"], map[string]any{"iss": "us", "aud": "apps", "sub": "app", "exp": time.Now().Add(time.Hour).Unix(), "name": s["a name"]})
	s["a JWT"] = token
	query := "?q=" + s["a query"]
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("till:"+s["a password"]))
	app := func(secret string) []string {
		return []string{"Authorization", "Bearer " + secret, "Cookie", "sid=" + s["a cookie"]}
	}
	partner := func(secret string) []string {
		return []string{"X-Signature", signed(secret, "bank", "POST", "/partners/1"+query, w.order(""))}
	}
	all := func() {
		w.send("POST", "/orders/1"+query, w.order(""), "Idempotency-Key", fmt.Sprint("orders-", time.Now().UnixNano()))
		w.send("POST", "/orders/2"+query, w.order(""), credentials...)
		w.send("POST", "/orders/3?pin="+s["a PIN"], w.order(`,"pin":"`+s["a PIN"]+`"`), "X-Pin", s["a PIN"])
		w.send("POST", "/orders/4", w.order(`,"card":"`+s["a card number"]+`"`))
		w.send("POST", "/orders/5", w.order(`,"sms_code":"`+s["a verification code"]+`"`))
		w.send("POST", "/orders/6", `{"phone":"`+s["a telephone number"]+`","phone":"`+s["a name"]+`"`) // doubled, and cut
		w.send("POST", "/apps/1"+query+"&pin="+s["a PIN"], w.order(`,"pin":"`+s["a PIN"]+`"`), append(app(token), "X-Pin", s["a PIN"])...)
		w.send("POST", "/apps/2"+query, w.order(""), app(token[:len(token)-3]+"AAA")...)
		w.send("POST", "/apps/3"+query, w.order(""), app(s["a bearer token"])...)
		w.send("POST", "/partners/1"+query, w.order(""), partner(s["an HMAC secret"])...)
		w.send("POST", "/partners/1"+query, w.order(""), partner(s["an API key"])...)
		w.send("POST", "/tills/1"+query, w.order(""), "X-API-Key", s["an API key"])
		w.send("POST", "/tills/2"+query, w.order(""), "X-API-Key", s["a password"])
		w.send("POST", "/tills/3"+query, w.order(""), "Authorization", basic)
		w.send("POST", "/remote/1"+query, w.order(""), app(token)...)
		w.send("POST", "/away/1"+query, w.order(""), app(token)...)
		w.send("POST", "/wecom/cgi-bin/message/send"+query, w.order(""))
		w.send("POST", "/broken/1"+query, w.order(""), "Idempotency-Key", fmt.Sprint("broken-", time.Now().UnixNano()))
		w.send("GET", "/orders/1"+query, "", credentials...)
		w.send("GET", "/nowhere/"+s["a name"]+query, "", credentials...)
	}
	asked := func() {
		for _, args := range [][]string{{"status"}, {"status", "--json"}, {"status", "orders"}, {"backlog", "--json"}, {"relay", "report"}, {"relay", "report", "--json"}, {"dead", "list", "--json"}, {"admission", "show"},
			{"journal", "inspect", "--entries", "--json"}, {"journal", "verify", "--json"}, {"doctor", "--json"}, {"relay", "check"}, {"reconcile", "orders"}, {"reconcile", "apps"}, {"reconcile", "partners", "--json"},
			{"relay", "explain", "POST", "/apps/1" + query, "-H", "Authorization: Bearer " + token, "-H", "X-Pin: " + s["a PIN"], "-d", `{"phone":"1","pin":"` + s["a PIN"] + `"}`, "--json"},
			{"relay", "explain", "POST", "/orders/4", "-H", "Cookie: sid=" + s["a cookie"], "-d", `{"phone":"1","card":"` + s["a card number"] + `"}`},
			{"relay", "explain", "POST", "/tills/1", "-H", "X-API-Key: " + s["an API key"], "-d", `{"phone":"1"}`},
			{"privacy", "find", "--route", "orders", "--key", s["a telephone number"], "--why", "asked", "--json"},
		} {
			w.run(args...)
		}
		// A person who asks for a record sees its key and target, and what the system answered.
		may := []string{"a telephone number", "a query", "a system's answer"}
		w.runBut(may, "receipt", w.receipts[0], "--json")
		for _, r := range w.receipts {
			w.clean("the record", w.admin(w.bearer, "/api/v1/records/"+r), may...)
		}

	}

	all() // it passes
	w.raw("POST /orders/1 HTTP/1.1\r\nHost: a\r\nAuthorization Bearer " + s["a bearer token"] + "\r\n\r\n")
	w.raw("POST /orders/1 HTTP/1.1\r\nHost: a\r\nContent-Length: " + s["a bearer token"] + "\r\n\r\n")
	w.raw("POST /orders/1?q=" + s["a query"] + " \x01HTTP/1.1\r\nHost: a\r\nCookie: " + s["a cookie"] + "\r\n\r\n")
	w.raw("POST /orders/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nCookie: " + s["a cookie"] + "\r\n\r\n" + s["a name"] + "\r\n")
	w.raw("POST /orders/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\nContent-Type: application/json\r\n\r\n" + w.order(""))
	w.raw(s["a bearer token"] + "\r\n\r\n")
	w.raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + s["a bearer token"])

	shop.down()
	all() // it is kept, or refused
	if len(w.receipts) < 5 {
		t.Fatalf("only %d requests were kept:\n%s", len(w.receipts), w.log.Tail())
	}
	asked()
	for _, mode := range []string{"divert", "reply", "block"} {
		w.run("mode", "orders", mode, "--why", "test")
		w.send("POST", "/orders/1"+query, strings.Replace(w.order(""), "138", "139", 1))
		w.send("GET", "/orders/1"+query, "", credentials...)
	}
	w.run("mode", "orders", "auto", "--why", "test")
	w.clean("the figures", w.admin("", "/metrics"))

	w.stop()
	w.start()
	shop.up()
	w.run("drain", "orders", "--resume", "--why", "test")
	w.until("the drain", w.drained)
	w.until("the webhook", func() bool { return strings.Contains(w.log.String(), "a receipt could not be told") })
	all()
	asked()

	s["the admin token"], s["the master key"] = w.bearer, w.read("data/master.key")
	for i, r := range w.receipts {
		s[fmt.Sprint("receipt ", i)] = r
	}
	w.clean("the figures", w.admin("", "/metrics"))
	for _, path := range []string{"/healthz", "/readyz", "/api/v1/status", "/api/v1/report", "/api/v1/admission", "/api/v1/openapi.json", "/api/v1/records?key=" + s["a query"] + "&route=none"} {
		w.clean("the admin API at "+path, w.admin(w.bearer, path))
		w.clean("the admin API, asked by anybody, at "+path, w.admin("", path))
		w.clean("the admin API, asked with a wrong token, at "+path, w.admin(s["a bearer token"], path))
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", w.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	w.clean("the command line of the process", line)
	w.stop()
	w.clean("the log", []byte(w.log.String()))
	clients := []string{"a bearer token", "a cookie", "an API key", "a password", "a PIN", "a JWT"}
	w.clean("what the system was sent", shop.heads(), append(clients, "a name", "a list's token")...) // the name is in the JWT, and it makes the list
	w.clean("what the standby was sent", standby.heads(), clients...)
	var told []string
	for name := range s {
		if strings.HasPrefix(name, "receipt ") {
			told = append(told, name)
		}
	}
	w.clean("what the webhook was sent", hook.heads(), told...)
	w.files(told)
	w.config()
}

// drained reports whether everything was sent but what the broken system gets.
func (w *world) drained() bool {
	var status struct {
		Routes []struct {
			ID       string
			Counters struct{ Accepted, Pending int }
		}
	}
	answer := w.admin(w.bearer, "/api/v1/status")
	w.clean("the status", answer)
	if err := json.Unmarshal(answer[bytes.IndexByte(answer, '{'):], &status); err != nil {
		w.t.Fatalf("%v in %s", err, answer)
	}
	kept := 0
	for _, r := range status.Routes {
		if r.Counters.Accepted > 0 {
			kept++
		}
		if r.Counters.Pending > 0 && r.ID != "broken" {
			return false
		}
	}
	return kept >= 6 // orders, apps, partners, tills, messages, broken
}

// files searches the data folder.
func (w *world) files(told []string) {
	w.t.Helper()
	seen := 0
	err := filepath.WalkDir(filepath.Join(w.dir, "data"), func(path string, e fs.DirEntry, err error) error {
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
		if info.Mode().Perm()&0o077 != 0 {
			w.t.Errorf("%s can be read by others: %s", path, info.Mode())
		}
		var may []string
		switch name := e.Name(); name {
		case "admin.token":
			may = []string{"the admin token"}
		case "master.key":
			may = []string{"the master key"}
		case "orders.json": // whose end has yet to be told
			may = told
		case "last-good.yaml": // what the operator wrote
			may = []string{"a webhook's URL", "a list's URL", "an issuer's URL"}
		}
		w.clean(path, text, may...)
		return nil
	})
	if err != nil || seen < 5 {
		w.t.Errorf("%d files: %v", seen, err)
	}
}

// config looks at how a configuration is refused that bears secrets.
func (w *world) config() {
	w.t.Helper()
	text := w.read("relay.yaml")
	for from, to := range map[string]string{
		"upstream: http://": "upstream: http://shop:" + w.planted["a password"] + "@",
		`jwks: "http://`:    `jwks: "http://shop:` + w.planted["a password"] + "@",
		`url: "http://`:     `url: "http://shop:` + w.planted["a password"] + "@",
		"dsn: {env: ":       "dsn: {value: postgres://shop:" + w.planted["a password"] + "@127.0.0.1/",
	} {
		w.file("relay.yaml", strings.Replace(text, from, to, 1))
		urls := []string{"a webhook's URL", "a list's URL", "an issuer's URL"} // its line is shown
		out := w.runBut(urls, "relay", "check")
		if !strings.Contains(out, "relay.yaml:") {
			w.t.Errorf("a password in %s is taken:\n%s", from, out)
		}
		w.runBut(urls, "relay", "check", "--json")
	}
}
