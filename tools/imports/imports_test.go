package imports

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	sqlite = "modernc.org/sqlite"
	pgx    = "github.com/jackc/pgx/v5"
	mysql  = "github.com/go-sql-driver/mysql"
)

// forbidden lists imports of which each must be reported, by the rule named.
var forbidden = []struct{ from, to, rule string }{
	{"internal/continuity", "holdfast/internal/catalogue", "domain"},
	{"internal/continuity", pgx, "domain"},
	{"internal/catalogue", "holdfast/internal/continuity", "catalogue"},
	{"internal/journal", "holdfast/internal/ledger", "leaves"},
	{"internal/journal", sqlite, "sql"},
	{"internal/ledger", "database/sql", "sql"},
	{"internal/ledger", "holdfast/internal/relay", "ledger"},
	{"internal/ledger", "holdfast/internal/http1", "ledger"},
	{"internal/keyring", "holdfast/internal/config", "data-plane"},
	{"internal/identity", "holdfast/internal/app", "data-plane"},
	{"internal/http1", "holdfast/internal/relay", "leaves"},
	{"internal/upstream", "holdfast/internal/replay", "leaves"},
	{"internal/health", "holdfast/internal/relay", "engine-health"},
	{"internal/relay", "holdfast/internal/replay", "engine-relay"},
	{"internal/relay", "holdfast/internal/view", "data-plane"},
	{"internal/relay", "holdfast/internal/reconcile", "data-plane"},
	{"internal/relay", "holdfast/internal/api", "data-plane"},
	{"internal/relay", "holdfast/internal/config", "data-plane"},
	{"internal/relay", "holdfast/internal/pgtest", "data-plane"},
	{"internal/relay", "holdfast/examples/shop", "data-plane"},
	{"internal/relay", sqlite, "sql"},
	{"internal/replay", "holdfast/internal/relay", "engine-replay"},
	{"internal/replay", pgx, "sql"},
	{"internal/replay", "holdfast/internal/app", "data-plane"},
	{"internal/view", "holdfast/internal/relay", "engine-view"},
	{"internal/reconcile", "holdfast/internal/replay", "engine-view"},
	{"internal/config", "holdfast/internal/ledger", "config"},
	{"internal/api", "holdfast/internal/app", "app"},
	{"internal/api", "database/sql", "sql"},
	{"internal/app", sqlite, "sql"},
	{"internal/app", mysql, "sql"},
	{"cmd/holdfast", pgx + "/pgxpool", "sql"},
	{"examples/demo", "holdfast/internal/ledger", "examples"},
}

// allowed lists imports of which none may be reported.
var allowed = []struct{ from, to string }{
	{"internal/continuity", "net/netip"},
	{"internal/catalogue", "embed"},
	{"internal/journal", "holdfast/internal/continuity"},
	{"internal/ledger", "holdfast/internal/journal"},
	{"internal/relay", "holdfast/internal/continuity"},
	{"internal/relay", "holdfast/internal/http1"},
	{"internal/relay", "holdfast/internal/catalogue"},
	{"internal/replay", "holdfast/internal/continuity"},
	{"internal/view", sqlite},
	{"internal/view", "holdfast/internal/ledger"},
	{"internal/reconcile", pgx},
	{"internal/config", "holdfast/internal/continuity"},
	{"internal/api", "holdfast/internal/view"},
	{"internal/app", "holdfast/internal/relay"},
	{"internal/app", "holdfast/internal/replay"},
	{"cmd/holdfast", "holdfast/internal/app"},
	{"examples/demo", "holdfast/internal/loopback"},
	{"examples/shop", sqlite},
	{"examples/shop", pgx},
}

var diagnostic = regexp.MustCompile(`(?m)^\S*/(case\d+(?:_test)?\.go):\d+:\d+: import '([^']+)' is not allowed from list '([^']+)'`)

func TestImportRulesBite(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	rules, err := os.ReadFile(filepath.Join(root, ".depguard.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, ".depguard.yaml", string(rules))

	// A module with the project's packages as empty rooms, and the SQL drivers
	// as empty modules, so that every import resolves.
	drivers := map[string]string{sqlite: "stub/sqlite", pgx: "stub/pgx", mysql: "stub/mysql"}
	mod := "module holdfast\n\ngo 1.26.0\n"
	for path, stub := range drivers {
		version := "v1.0.0"
		if path == pgx {
			version = "v5.0.0"
		}
		mod += fmt.Sprintf("\nrequire %s %s\nreplace %s => ./%s\n", path, version, path, stub)
		write(t, dir, stub+"/go.mod", "module "+path+"\n")
		write(t, dir, stub+"/stub.go", "package "+filepath.Base(stub)+"\n")
	}
	write(t, dir, "stub/pgx/pgxpool/stub.go", "package pgxpool\n")
	write(t, dir, "go.mod", mod)

	imports := map[string][2]string{} // file name -> from, to
	want := map[string]string{}       // file name -> rule
	add := func(from, to, rule string) {
		// Each case has a package of its own below its room, so that imports in
		// both directions make no cycle.
		name := fmt.Sprintf("case%02d.go", len(imports))
		imports[name] = [2]string{from, to}
		write(t, dir, from+"/"+strings.TrimSuffix(name, ".go")+"/"+name, fmt.Sprintf("package p\n\nimport _ %q\n", to))
		write(t, dir, from+"/room.go", "package room\n")
		if room, ok := strings.CutPrefix(to, "holdfast/"); ok {
			write(t, dir, room+"/room.go", "package room\n")
		}
		if rule != "" {
			want[name] = rule
		}
	}
	for _, c := range forbidden {
		add(c.from, c.to, c.rule)
	}
	for _, c := range allowed {
		add(c.from, c.to, "")
	}

	depguard := filepath.Join(t.TempDir(), "depguard")
	if out, err := exec.Command("go", "build", "-o", depguard, "github.com/OpenPeeDeeP/depguard/v2/cmd/depguard").CombinedOutput(); err != nil {
		t.Fatalf("build depguard: %v\n%s", err, out)
	}
	run := exec.Command(depguard, "./...")
	run.Dir = dir
	out, err := run.CombinedOutput()
	if err == nil {
		t.Fatalf("depguard reported nothing:\n%s", out)
	}

	reported := map[string][]string{}
	for _, m := range diagnostic.FindAllStringSubmatch(string(out), -1) {
		reported[m[1]] = append(reported[m[1]], m[3])
	}
	for name, c := range imports {
		rule, bad := want[name]
		switch {
		case bad && !slices.Contains(reported[name], rule):
			t.Errorf("%s may import %s: rule %s did not report it (reported by %v)", c[0], c[1], rule, reported[name])
		case !bad && len(reported[name]) > 0:
			t.Errorf("%s may not import %s: reported by %v", c[0], c[1], reported[name])
		}
	}
	if t.Failed() {
		t.Logf("depguard said:\n%s", out)
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
