package imports

import (
	"fmt"
	"maps"
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
	{"internal/catalogue", "holdfast/internal/continuity", "ground"},
	{"internal/durable", "holdfast/internal/keyring", "ground"},
	{"internal/loop", "holdfast/internal/http1", "ground"},
	{"internal/loopback", "holdfast/internal/continuity", "ground"},
	{"internal/pgtest", "holdfast/internal/app", "ground"},
	{"internal/mariatest", "holdfast/internal/reconcile", "ground"},
	{"internal/endpoint", "holdfast/internal/api", "doors"},
	{"internal/announce", "holdfast/internal/notify", "responding"},
	{"internal/evidence", "holdfast/internal/store", "responding"},
	{"internal/controlapi", "holdfast/internal/store", "control-api"},
	{"internal/controlconfig", "holdfast/internal/store", "control-config"},
	{"internal/journal", "holdfast/internal/ledger", "leaves"},
	{"internal/relay", "holdfast/internal/controlapi", "data-plane"},
	{"internal/relay", "holdfast/internal/controlconfig", "data-plane"},
	{"internal/relay", "holdfast/internal/control", "data-plane"},
	{"internal/journal", sqlite, "data-plane"},
	{"internal/keyring", "holdfast/internal/config", "data-plane"},
	{"internal/identity", "holdfast/internal/app", "app"},
	{"internal/http1", "holdfast/internal/relay", "leaves"},
	{"internal/http1", "holdfast/internal/catalogue", "leaves"},
	{"internal/upstream", "holdfast/internal/replay", "leaves"},
	{"internal/sign", "holdfast/internal/ledger", "leaves"},
	{"internal/ledger", "database/sql", "sql"},
	{"internal/ledger", "holdfast/internal/relay", "ledger"},
	{"internal/ledger", "holdfast/internal/http1", "ledger"},
	{"internal/health", "holdfast/internal/relay", "engines"},
	{"internal/relay", "holdfast/internal/replay", "engines"},
	{"internal/relay", "holdfast/internal/journal", "engines"},
	{"internal/relay", "holdfast/internal/anew", "engines"},
	{"internal/relay", "holdfast/internal/view", "data-plane"},
	{"internal/relay", "holdfast/internal/backup", "data-plane"},
	{"internal/backup/engine", "holdfast/internal/store", "backups"},
	{"internal/backup/drivers", "holdfast/internal/journal", "backups"},
	{"internal/backup/records", "holdfast/internal/store", "backups"},
	{"internal/backup/folder", "database/sql", "sql"},
	{"internal/backup/postgres", "holdfast/internal/store", "backups"},
	{"internal/backup/node", "holdfast/internal/journal", "backups"},
	{"internal/relay", "holdfast/internal/reconcile", "data-plane"},
	{"internal/relay", "holdfast/internal/restore", "data-plane"},
	{"internal/relay", "holdfast/internal/webhook", "data-plane"},
	{"internal/relay", "holdfast/internal/api", "data-plane"},
	{"internal/relay", "holdfast/internal/doctor", "data-plane"},
	{"internal/relay", "holdfast/internal/config", "data-plane"},
	{"internal/relay", "holdfast/internal/pgtest", "data-plane"},
	{"internal/relay", "holdfast/internal/mariatest", "data-plane"},
	{"internal/relay", sqlite, "data-plane"},
	{"internal/anew", mysql, "data-plane"},
	{"internal/replay", "holdfast/internal/relay", "engines"},
	{"internal/replay", pgx, "data-plane"},
	{"internal/view", "holdfast/internal/relay", "readers"},
	{"internal/view", "holdfast/internal/config", "readers"},
	{"internal/reconcile", "holdfast/internal/replay", "readers"},
	{"internal/webhook", "holdfast/internal/view", "readers"},
	{"internal/restore", "holdfast/internal/api", "readers"},
	{"internal/store", "holdfast/internal/config", "store"},
	{"internal/relay", "holdfast/internal/store", "data-plane"},
	{"internal/access", "holdfast/internal/store", "access"},
	{"internal/secret", "holdfast/internal/catalogue", "secrets"},
	{"internal/people", "holdfast/internal/store", "control-engines"},
	{"internal/oncall", "holdfast/internal/plan", "duty"},
	{"internal/relay", "holdfast/internal/oncall", "data-plane"},
	{"internal/keeping", "holdfast/internal/store", "keeping"},
	{"internal/keeping", "holdfast/internal/plan", "keeping"},
	{"internal/relay", "holdfast/internal/people", "data-plane"},
	{"internal/relay", "holdfast/internal/secret", "data-plane"},
	{"internal/relay", "holdfast/internal/access", "data-plane"},
	{"internal/calendar", "holdfast/internal/config", "days"},
	{"internal/relay", "holdfast/internal/calendar", "data-plane"},
	{"internal/config", "holdfast/internal/ledger", "config"},
	{"internal/yamldoc", "holdfast/internal/config", "documents"},
	{"internal/outgoing", "holdfast/internal/yamldoc", "watching"},
	{"internal/outgoing/imapbox", "holdfast/internal/notices", "watching"},
	{"internal/relay", "holdfast/internal/outgoing", "data-plane"},
	{"internal/watch/probe/http", "database/sql", "sql"},
	{"internal/watch/probe/http", "holdfast/internal/config", "watching"},
	{"internal/watch/probe/http", "holdfast/internal/yamldoc", "watching"},
	{"internal/watch/probe/flow", "holdfast/internal/plan", "flows"},
	{"internal/watch/probe/log", "holdfast/internal/measure", "flows"},
	{"internal/logs", "holdfast/internal/watch", "control-engines"},
	{"internal/relay", "holdfast/internal/logs", "data-plane"},
	{"internal/replay", "holdfast/internal/watch/probe", "data-plane"},
	{"internal/replay", "holdfast/internal/control", "data-plane"},
	{"internal/job", "holdfast/internal/store", "control-engines"},
	{"internal/warning", "holdfast/internal/measure", "control-engines"},
	{"internal/warning", "holdfast/internal/notices", "control-engines"},
	{"internal/maintenance", "holdfast/internal/notices", "responding"},
	{"internal/exercise", "holdfast/internal/store", "responding"},
	{"internal/upgrade", "holdfast/internal/backup", "responding"},
	{"internal/relay", "holdfast/internal/upgrade", "data-plane"},
	{"internal/notices", "holdfast/internal/warning", "notices"},
	{"internal/relay", "holdfast/internal/job", "data-plane"},
	{"internal/relay", "holdfast/internal/notices", "data-plane"},
	{"internal/relay", "holdfast/internal/warning", "data-plane"},
	{"internal/relay", "holdfast/internal/public", "data-plane"},
	{"internal/public", "holdfast/internal/store", "outside"},
	{"internal/notify", "holdfast/internal/store", "notifying"},
	{"internal/incident", "holdfast/internal/notify", "responding"},
	{"internal/runbook", "holdfast/internal/incident", "responding"},
	{"internal/runbook", "holdfast/internal/store", "responding"},
	{"internal/command", "holdfast/internal/control", "commands"},
	{"internal/relay", "holdfast/internal/command", "data-plane"},
	{"internal/incident", "holdfast/internal/plan", "responding"},
	{"internal/backupkey", "holdfast/internal/keyring", "backups"},
	{"internal/backupfile", "holdfast/internal/store", "backups"},
	{"internal/target/s3", "holdfast/internal/outgoing", "backups"},
	{"internal/relay", "holdfast/internal/incident", "data-plane"},
	{"internal/notify", "holdfast/internal/warning", "notifying"},
	{"internal/relay", "holdfast/internal/notify", "data-plane"},
	{"internal/public", "holdfast/internal/notify/kinds", "outside"},
	{"internal/public", "holdfast/internal/journal", "outside"},
	{"internal/binding", "holdfast/internal/store", "binding"},
	{"internal/planbook", "holdfast/internal/controlapi", "book"},
	{"internal/control", "holdfast/internal/app", "control-plane"},
	{"internal/controlapi", "holdfast/internal/ledger", "control-plane"},
	{"internal/job", sqlite, "sql"},
	{"internal/relay", "holdfast/internal/yamldoc", "data-plane"},
	{"internal/relay", "holdfast/internal/plan/cards", "data-plane"},
	{"internal/plan/cards", "holdfast/internal/yamldoc", "paper"},
	{"internal/plan/paper", "holdfast/internal/store", "plans"},
	{"internal/measure", "holdfast/internal/relay", "measures"},
	{"internal/measure", "database/sql", "sql"},
	{"internal/relay", "holdfast/internal/measure", "data-plane"},
	{"internal/plan", "holdfast/internal/config", "plans"},
	{"internal/upgrade/precheck", "holdfast/internal/outgoing", "prechecks"},
	{"internal/relay", "holdfast/internal/plan", "data-plane"},
	{"internal/plan/bia", "holdfast/internal/continuity", "paper"},
	{"internal/planbook", "holdfast/internal/store", "book"},
	{"internal/relay", "holdfast/internal/binding", "data-plane"},
	{"internal/api", "holdfast/internal/app", "app"},
	{"internal/api", "holdfast/internal/view", "api"},
	{"internal/api", "database/sql", "sql"},
	{"internal/problem", "holdfast/internal/relay", "api"},
	{"internal/app", sqlite, "sql"},
	{"internal/app", mysql, "sql"},
	{"internal/app", "holdfast/relay", "inside"},
	{"internal/app", "holdfast/cmd/holdfast", "inside"},
	{"internal/app", "holdfast/examples/shop", "inside"},
	{"cmd/holdfast", pgx + "/pgxpool", "sql"},
	{"cmd/holdfast", "holdfast/relay", "cmd"},
	{"cmd/holdfast", "holdfast/examples/shop", "cmd"},
	{"relay", "holdfast/internal/replay", "package"},
	{"relay", sqlite, "sql"},
	{"examples/demo", "holdfast/internal/ledger", "examples"},
	{"internal/demo/inbox", "holdfast/internal/sign", "examples"},
	{"internal/demo", "holdfast/internal/store", "demo"},
	{"examples/callbacks", "holdfast/relay", "examples"},
}

// forbiddenInTests is the same for imports of test files.
var forbiddenInTests = []struct{ from, to, rule string }{
	{"internal/relay", "holdfast/internal/view", "data-plane"},
	{"internal/replay", "database/sql", "data-plane"},
	{"internal/config", "holdfast/internal/app", "app"},
}

// allowed lists imports of which none may be reported.
var allowed = []struct{ from, to string }{
	{"internal/continuity", "net/netip"},
	{"internal/catalogue", "embed"},
	{"internal/journal", "holdfast/internal/continuity"},
	{"internal/ledger", "holdfast/internal/journal"},
	{"internal/relay", "holdfast/internal/continuity"},
	{"internal/relay", "holdfast/internal/http1"},
	{"internal/notify/mail", "holdfast/internal/outgoing/imapbox"},
	{"internal/relay", "holdfast/internal/catalogue"},
	{"internal/replay", "holdfast/internal/continuity"},
	{"internal/view", sqlite},
	{"internal/view", "holdfast/internal/journal"},
	{"internal/reconcile", pgx},
	{"internal/store", pgx},
	{"internal/store", sqlite},
	{"internal/calendar", "holdfast/internal/yamldoc"},
	{"internal/config", "holdfast/internal/continuity"},
	{"internal/api", "holdfast/internal/reconcile"},
	{"internal/watch/probe/sql", pgx},
	{"internal/watch/probe/flow", "holdfast/internal/yamldoc"},
	{"internal/watch/probe/log", "holdfast/internal/logs"},
	{"internal/watch/probe/tcp", "holdfast/internal/outgoing"},
	{"internal/measure", "holdfast/internal/continuity"},
	{"internal/binding", "holdfast/internal/watch/probe"},
	{"internal/binding", "holdfast/internal/keeping"},
	{"internal/keeping", "holdfast/internal/follow"},
	{"internal/planbook", "holdfast/internal/binding"},
	{"internal/public", "holdfast/internal/notify"},
	{"internal/notify", "holdfast/internal/catalogue"},
	{"internal/controlapi", "holdfast/internal/notify"},
	{"internal/binding", "holdfast/internal/oncall"},
	{"internal/app", "holdfast/internal/relay"},
	{"internal/app", "holdfast/internal/replay"},
	{"cmd/holdfast", "holdfast/internal/app"},
	{"relay", "holdfast/internal/app"},
	{"examples/demo", "holdfast/internal/loopback"},
	{"examples/demo", "holdfast/internal/demo/customers"},
	{"internal/demo", "holdfast/internal/controlapi"},
	{"internal/upgrade/precheck", "database/sql"},
	{"internal/upgrade/figures", "database/sql"},
	{"internal/demo/shop", sqlite},
	{"internal/demo/shop", pgx},
}

var diagnostic = regexp.MustCompile(`(?m)^\S*/(case\d+(?:_test)?\.go):\d+:\d+: import '([^']+)' is not allowed from list '([^']+)'`)

var ruleName = regexp.MustCompile(`(?m)^([a-z-]+):`)

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
	add := func(from, to, suffix, rule string) {
		// Each case has a package of its own below its room, so that imports in
		// both directions make no cycle.
		room := fmt.Sprintf("case%02d", len(imports))
		name := room + suffix
		imports[name] = [2]string{from, to}
		write(t, dir, from+"/"+room+"/"+name, fmt.Sprintf("package p\n\nimport _ %q\n", to))
		write(t, dir, from+"/room.go", "package room\n")
		if room, ok := strings.CutPrefix(to, "holdfast/"); ok {
			write(t, dir, room+"/room.go", "package room\n")
		}
		if rule != "" {
			want[name] = rule
		}
	}
	for _, c := range forbidden {
		add(c.from, c.to, ".go", c.rule)
	}
	for _, c := range forbiddenInTests {
		add(c.from, c.to, "_test.go", c.rule)
	}
	for _, c := range allowed {
		add(c.from, c.to, ".go", "")
	}
	for _, m := range ruleName.FindAllStringSubmatch(string(rules), -1) {
		if !slices.Contains(slices.Collect(maps.Values(want)), m[1]) {
			t.Errorf("no case shows that rule %s bites", m[1])
		}
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
