package app

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/api"
	"holdfast/internal/continuity"
)

func route(t *testing.T, a *App) api.Route {
	t.Helper()
	s, err := client(t, a).Status(t.Context())
	if err != nil || len(s.Routes) == 0 {
		t.Fatal(s, err)
	}
	return s.Routes[0]
}

func TestReloadMovesKeptRecordsToTheNewUpstream(t *testing.T) {
	old, next := newShop(t), newShop(t)
	old.close()
	dir := t.TempDir()
	a := start(t, write(t, dir, orders(old.address)))
	status, receipt := place(t, a, "1", `{"no":"A","n":1}`)
	if status != http.StatusAccepted {
		t.Fatal(status)
	}
	write(t, dir, orders(next.address))
	result, err := client(t, a).Reload(t.Context())
	if err != nil || !result.Applied || result.Config.Reloads != 1 {
		t.Fatalf("%+v %v", result, err)
	}
	if got := next.next(); got != `{"no":"A","n":1}` {
		t.Errorf("got %s", got)
	}
	if state := ended(t, a, receipt); state != continuity.Delivered {
		t.Errorf("the record is %s", state)
	}
	if got := route(t, a).Upstream; got != "http://"+next.address {
		t.Errorf("the status names %s", got)
	}
}

func TestReloadOfABadFileChangesNothing(t *testing.T) {
	s := newShop(t)
	dir := t.TempDir()
	good := orders(s.address)
	a := start(t, write(t, dir, good))
	for name, tc := range map[string]struct{ text, id string }{
		"typing error":   {strings.Replace(good, "settle:", "setle:", 1), ""},
		"another port":   {strings.Replace(good, "listen: 127.0.0.1:0\nadmin", "listen: 127.0.0.1:1\nadmin", 1), "api.reload.restart"},
		"another folder": {good + "data: elsewhere\n", "api.reload.restart"},
		"empty":          {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			before, _ := client(t, a).Status(t.Context())
			write(t, dir, tc.text)
			result, err := client(t, a).Reload(t.Context())
			if err != nil || result.Applied || len(result.Problems) == 0 {
				t.Fatalf("%+v %v", result, err)
			}
			if p := result.Problems[0]; p.Line < 1 || p.Column < 1 || p.Text == "" || tc.id != "" && p.ID != tc.id {
				t.Errorf("the problem is %+v", p)
			}
			after, _ := client(t, a).Status(t.Context())
			if after.Config.Digest != before.Config.Digest || !after.Config.Refused || after.Config.Failures != before.Config.Failures+1 {
				t.Errorf("the status says %+v", after.Config)
			}
			if status, _ := place(t, a, "1", `{"no":"A"}`); status != http.StatusCreated {
				t.Errorf("requests suffer: %d", status)
			}
		})
	}
	if got := scrape(t, a); !strings.Contains(got, `holdfast_relay_config_reloads_total{result="refused"} 4`) {
		t.Error("the metrics don't count")
	}
	write(t, dir, good)
	if result, err := client(t, a).Reload(t.Context()); err != nil || !result.Applied || result.Config.Refused {
		t.Errorf("the good file again: %+v %v", result, err)
	}
}

func TestReloadKeepsRoutesWithPendingRecords(t *testing.T) {
	s := newShop(t)
	s.close()
	dir := t.TempDir()
	a := start(t, write(t, dir, orders(s.address)))
	place(t, a, "1", `{"no":"A"}`)
	write(t, dir, strings.Replace(orders(s.address), "id: orders", "id: purchases", 1))
	result, err := client(t, a).Reload(t.Context())
	if err != nil || result.Applied || result.Problems[0].ID != "api.reload.pending" {
		t.Fatalf("%+v %v", result, err)
	}
	stop(t, a)
	a = start(t, filepath.Join(dir, "relay.yaml")) // nor does a restart take it away
	seen, err := client(t, a).Status(t.Context())
	if err != nil || !seen.Config.LastGood || seen.Routes[0].ID != "orders" || seen.Warnings[0].ID != "misfit" {
		t.Errorf("after a restart: %+v %v", seen, err)
	}
}

// Under another key, a request of a customer whose orders are pending would no
// longer queue behind them.
func TestRule3_2_NoConfigurationLetsRequestsOvertakePendingRecords(t *testing.T) {
	s := newShop(t)
	s.close()
	dir := t.TempDir()
	good := orders(s.address)
	file := write(t, dir, good)
	a := start(t, file)
	status, receipt := place(t, a, "1", `{"no":"A","other":"B"}`)
	if status != http.StatusAccepted {
		t.Fatal(status)
	}
	changed := map[string]string{
		"key":                strings.Replace(good, "key: json:/no", "key: json:/other", 1),
		"idempotency.fields": strings.Replace(good, "remembers: 72h", "remembers: 72h, fields: [json:/other]", 1),
		"hold.methods":       strings.Replace(good, "state: on,", "state: on, methods: [PUT],", 1),
		"match.path":         strings.Replace(good, "path: /orders/**", "path: /orders/new", 1),
		"match.host":         strings.Replace(good, "path: /orders/**", "path: /orders/**, host: shop.example", 1),
	}
	for setting, text := range changed {
		write(t, dir, text)
		result, err := client(t, a).Reload(t.Context())
		if err != nil || result.Applied || result.Problems[0].ID != "api.reload.overtake" || result.Problems[0].Args["setting"] != setting {
			t.Errorf("%s: %+v %v", setting, result, err)
		}
	}
	stop(t, a)
	write(t, dir, changed["key"])
	a = start(t, file)
	seen, err := client(t, a).Status(t.Context())
	if err != nil || !seen.Config.LastGood || seen.Config.Problems[0].ID != "api.reload.overtake" {
		t.Errorf("after a restart: %+v %v", seen.Config, err)
	}
	s.open()
	if got := s.next(); got != `{"no":"A","other":"B"}` {
		t.Errorf("delivered %s", got)
	}
	if state := ended(t, a, receipt); state != continuity.Delivered {
		t.Errorf("the record is %s", state)
	}
	if result, err := client(t, a).Reload(t.Context()); err != nil || !result.Applied || result.Config.LastGood {
		t.Errorf("with nothing pending: %+v %v", result, err)
	}
}

func TestStartWithABadFileUsesTheLastGoodOne(t *testing.T) {
	s := newShop(t)
	dir := t.TempDir()
	file := write(t, dir, orders(s.address))
	if err := New(Options{ConfigFile: write(t, t.TempDir(), "routes: []\n"), Logger: quiet()}).Start(t.Context()); continuity.CodeOf(err) != continuity.CodeConfig {
		t.Errorf("a first start with a bad file: %v", err)
	}
	stop(t, start(t, file))
	write(t, dir, "listen: [\n")
	a := start(t, file)
	if status, _ := place(t, a, "1", `{"no":"A"}`); status != http.StatusCreated {
		t.Errorf("%d", status)
	}
	seen, err := client(t, a).Status(t.Context())
	if err != nil || !seen.Config.LastGood || len(seen.Warnings) != 1 || seen.Warnings[0].ID != "last-good" {
		t.Errorf("%+v %v", seen, err)
	}
	kept, err := os.ReadFile(filepath.Join(a.home.DataDir, lastGoodName))
	if err != nil || string(kept) != orders(s.address) {
		t.Errorf("what was put aside is %q, %v", kept, err)
	}
	write(t, dir, orders(s.address))
	if result, err := client(t, a).Reload(t.Context()); err != nil || !result.Applied || result.Config.LastGood {
		t.Errorf("mended: %+v %v", result, err)
	}
}

func TestReloadAddsAndRemovesRoutes(t *testing.T) {
	s := newShop(t)
	dir := t.TempDir()
	a := start(t, write(t, dir, orders(s.address)))
	more := orders(s.address) + "  - {id: other, match: {path: /other}, upstream: http://" + s.address + "}\n"
	write(t, dir, more)
	if result, err := client(t, a).Reload(t.Context()); err != nil || !result.Applied {
		t.Fatalf("%+v %v", result, err)
	}
	ask := func() int {
		resp, err := http.Get("http://" + a.Addr() + "/other")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := ask(); got != http.StatusCreated {
		t.Errorf("the new route: %d", got)
	}
	write(t, dir, orders(s.address))
	if result, err := client(t, a).Reload(t.Context()); err != nil || !result.Applied {
		t.Fatalf("%+v %v", result, err)
	}
	if got := ask(); got != http.StatusNotFound {
		t.Errorf("the removed route: %d", got)
	}
}
