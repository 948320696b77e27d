package config

import (
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/continuity"
	"holdfast/internal/yamldoc"
)

const secretHead = `listen: 127.0.0.1:9000
routes:
  - id: orders
    upstream: http://127.0.0.1:9001
    key: json:/order_no
    reconcile:
      driver: postgres
      query: select order_no from orders
`

// loadProblems are found by Load only, as they lie outside the file.
var loadProblems = map[string]struct {
	dsn  string
	file string // content of shop.dsn; "-": none
	mode os.FileMode
}{
	"config.file-missing":    {"{file: shop.dsn}", "-", 0o600},
	"config.file-open":       {"{file: shop.dsn}", "postgres://db/shop", 0o644},
	"config.file-empty":      {"{file: shop.dsn}", "\n", 0o600},
	"config.file-folder":     {"{file: .}", "-", 0o600},
	"config.file-unreadable": {"{file: shop.dsn/below}", "postgres://db/shop", 0o600},
	"config.env-missing":     {"{env: HOLDFAST_TEST_UNSET}", "-", 0o600},
}

func loadWithDSN(t *testing.T, dsn, file string, mode os.FileMode) (*Relay, []yamldoc.Problem, error) {
	t.Helper()
	dir := t.TempDir()
	if file != "-" {
		if err := os.WriteFile(filepath.Join(dir, "shop.dsn"), []byte(file), mode); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "relay.yaml")
	if err := os.WriteFile(path, []byte(secretHead+"      dsn: "+dsn+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func TestLoadChecksSecrets(t *testing.T) {
	for id, c := range loadProblems {
		t.Run(id, func(t *testing.T) {
			relay, problems, err := loadWithDSN(t, c.dsn, c.file, c.mode)
			if err != nil || relay.Routes[0].Reconcile != nil {
				t.Errorf("relay %+v, error %v", relay, err) // it starts, and does not reconcile
			}
			if len(problems) != 2 || problems[0].ID != "config.reconcile-off" || problems[0].Line != 6 ||
				problems[1].ID != id || problems[1].Line != 9 || yamldoc.Failed(problems) {
				t.Errorf("problems: %+v", problems)
			}
		})
	}
}

func TestLoadResolvesSecrets(t *testing.T) {
	t.Setenv("HOLDFAST_TEST_DSN", "postgres://shop:hunter2@db/shop")
	for _, dsn := range []string{"{file: shop.dsn}", "{env: HOLDFAST_TEST_DSN}"} {
		relay, problems, err := loadWithDSN(t, dsn, "postgres://shop:hunter2@db/shop\n", 0o600)
		if err != nil || len(problems) > 0 {
			t.Fatalf("%s: %v %v", dsn, problems, err)
		}
		if got := relay.Routes[0].Reconcile.DSN; got != "postgres://shop:hunter2@db/shop" {
			t.Errorf("%s: %q", dsn, got)
		}
	}
}

func TestLoadRefusesTokenThatOthersRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "relay.yaml")
	for name, text := range map[string]string{
		"relay.yaml":  "listen: 127.0.0.1:9000\nadmin: {token: {file: admin.token}}\nroutes: [{id: a, upstream: \"http://127.0.0.1:9001\"}]\n",
		"admin.token": "secret",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { // #nosec G306 -- the point
			t.Fatal(err)
		}
	}
	relay, problems, err := Load(path)
	if relay != nil || err == nil || len(problems) != 1 || problems[0].ID != "config.file-open" || problems[0].Line != 2 {
		t.Errorf("relay %v, problems %+v, error %v", relay, problems, err)
	}
}

func TestLoadGivesNothingOfABadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "relay.yaml")
	if _, _, err := Load(path); continuity.CodeOf(err) != continuity.CodeConfig {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("listen: 9000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	relay, problems, err := Load(path)
	if relay != nil || len(problems) != 2 || continuity.CodeOf(err) != continuity.CodeConfig {
		t.Errorf("relay %v, problems %+v, error %v", relay, problems, err)
	}
}

// TestRule10_2_RelayStartsWithoutAUsableMasterKey: it passes then, and holds
// nothing.
func TestRule10_2_RelayStartsWithoutAUsableMasterKey(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "relay.yaml")
	for name, text := range map[string]string{
		"relay.yaml": "listen: 127.0.0.1:9000\nmaster_key: {file: master.key}\nroutes: [{id: a, upstream: \"http://127.0.0.1:9001\"}]\n",
		"master.key": "secret",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { // #nosec G306 -- the point
			t.Fatal(err)
		}
	}
	relay, problems, err := Load(path)
	if relay == nil || err != nil {
		t.Fatalf("relay %v, error %v", relay, err)
	}
	if len(problems) != 1 || problems[0].ID != "config.file-open" || problems[0].Severity != yamldoc.Warning {
		t.Errorf("problems: %+v", problems)
	}
}
