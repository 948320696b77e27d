package controlconfig

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"holdfast/internal/catalogue"
	channel "holdfast/internal/notify"
	notify "holdfast/internal/notify/kinds"
	"holdfast/internal/yamldoc"
)

var update = flag.Bool("update", false, "write the reference in docs/control.md anew")

const fieldsMark = "<!-- The tables below come from the program: go test ./internal/controlconfig -update -->\n"

// TestReferenceListsEveryField holds the reference to the table of fields; with
// -update it rewrites the part below the mark.
func TestReferenceListsEveryField(t *testing.T) {
	for lang, file := range map[catalogue.Lang]string{catalogue.En: "../../docs/control.md", catalogue.Zh: "../../docs/control.zh.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		head, tables, ok := strings.Cut(string(text), fieldsMark)
		if !ok {
			t.Fatalf("%s: no mark", file)
		}
		want := yamldoc.Reference(lang, reflect.TypeFor[Control](), func(path string) string {
			meaning := Meaning(lang, path)
			if strings.HasPrefix(meaning, "controlconfig.") {
				t.Errorf("%s: no meaning of %s", lang, path)
			}
			return meaning
		})
		if *update {
			if err := os.WriteFile(file, []byte(head+fieldsMark+want), 0o644); err != nil { // #nosec G306 -- a document
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(want, tables); diff != "" {
			t.Errorf("%s: run go test ./internal/controlconfig -update: -want +got:\n%s", file, diff)
		}
		// The examples are right, too.
		for _, part := range strings.Split(head, "```yaml\n")[1:] {
			src, _, _ := strings.Cut(part, "```")
			var out bytes.Buffer
			_, problems := Check(file, []byte(src))
			if _ = yamldoc.Render(&out, catalogue.En, []byte(src), problems); yamldoc.Failed(problems) {
				t.Errorf("%s", &out)
			}
		}
	}
}

// TestExamplesOfChannels holds the page about channels to the settings that there
// are.
func TestExamplesOfChannels(t *testing.T) {
	for _, file := range []string{"../../docs/channels.md", "../../docs/channels.zh.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, part := range strings.Split(string(text), "```yaml\n")[1:] {
			src, _, _ := strings.Cut(part, "```")
			if strings.HasPrefix(src, "- id:") {
				src = "channels:\n" + src
			} else if !strings.HasPrefix(src, "# control.yaml\n") {
				continue // of a plan
			}
			found++
			var out bytes.Buffer
			_, problems := Check(file, []byte(src))
			if _ = yamldoc.Render(&out, catalogue.En, []byte(src), problems); yamldoc.Failed(problems) {
				t.Errorf("%s", &out)
			}
		}
		if found < 2 {
			t.Errorf("%s: %d examples", file, found)
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"listen: 9800":                 "1:9 controlconfig.address",
		"listen: 0.0.0.0:9800":         "1:9 controlconfig.plain-http",
		"names: [a:1]":                 "1:9 controlconfig.host",
		"database: postgres://u:p@h/d": "1:11 controlconfig.secret",
		"database: {secret: DSN}":      "1:20 controlconfig.database-secret",
		"database: {}":                 "1:1 controlconfig.one-of",
		"lease: 100ms":                 "1:8 controlconfig.lease",
		"metrics: {retention: 1h}":     "1:22 controlconfig.retention",
		"metrics: {remote_write: [{url: 'https://u:p@h/'}]}":                                               "1:32 controlconfig.url-secret",
		"channels: [{id: m, kind: mail, with: {server: 'mail.example:25', from: a@b.example, tls: none}}]": "1:90 notify.mail.tls-none",
		"outgoing: ['http://x']": "1:12 controlconfig.rule",
		"outgoing: ['shop.example.com:443', '*.corp.example', 10.0.0.0/8:22]": "",
		"relays: [{id: a, token: {file: t}}, {id: a, token: {env: T}}]":       "1:42 controlconfig.twice",
		"relays: [{id: a}]":                                                                         "1:11 config.missing-block",
		"commands: [{id: a, argv: [sh, '{x}']}]":                                                    "1:26 controlconfig.command-pattern",
		"commands: [{id: a, argv: [/bin/x, 'a{x}'], params: {x: '['}}]":                             "1:56 controlconfig.command-regexp",
		"commands: [{id: a, argv: [/bin/x, 'a{x}'], params: {x: y}, output: 2MiB}]":                 "1:68 controlconfig.command-output",
		"commands: [{id: a, argv: [/bin/x], env: {A-B: c}}, {id: a, argv: [/bin/x]}]":               "1:13 controlconfig.command-env",
		"commands: [{id: a, argv: [/bin/x], processes: 20}]":                                        "1:47 controlconfig.command-processes",
		"commands: [{id: a, argv: [/bin/x, '{x}'], params: {x: y}, secrets: {X: secret}}]":          "",
		"emergency: {channel: x}":                                                                   "1:22 controlconfig.emergency",
		"emergency: {to: [a]}":                                                                      "1:1 config.missing",
		"checks: {mark: secret}":                                                                    "1:16 controlconfig.secret",
		"checks: {mark: {}}":                                                                        "1:10 controlconfig.one-of",
		"relays: [{id: a, token: secret}]":                                                          "1:25 controlconfig.secret",
		"backup: {targets: [{id: a, url: /b, copy: local}]}":                                        "1:1 config.missing",
		"backup: {key: k, targets: [{id: a, url: 's3://u:p@b', copy: remote}]}":                     "1:41 controlconfig.target-secret",
		"backup: {key: k, targets: [{id: a, url: 'sftp://u:p@h/b', copy: remote}]}":                 "1:41 controlconfig.target-secret",
		"backup: {key: k, targets: [{id: a, url: backups, copy: remote}]}":                          "1:41 controlconfig.target",
		"backup: {key: k, targets: [{id: a, url: /b, copy: far}]}":                                  "1:51 config.word",
		"backup: {key: k, targets: [{id: a, url: /b, copy: local, credentials: AKIA}]}":             "1:71 controlconfig.secret",
		"backup: {key: k, passphrase: {}, targets: [{id: a, url: /b, copy: local}]}":                "1:18 controlconfig.one-of",
		"backup: {key: k, targets: [{id: a, url: /b, copy: local}, {id: a, url: /c, copy: local}]}": "1:64 controlconfig.twice",
		"backup: {key: k, targets: [{id: a, url: 's3://b/p?endpoint=https://s3.example', copy: remote, prune: {env: P}}, {id: b, url: 'sftp://u@h:22/p', copy: remote}, {id: c, url: 'folder:/c', copy: local}]}": "",
		"backup: {key: k, guard: g, passphrase: {env: P}, targets: [{id: a, url: /b, copy: local}]}":                                                                                                              "1:25 controlconfig.backup-guard",
		"listne: x":                "1:1 config.unknown-near",
		"schema: holdfast/relay@1": "1:9 config.word",
		"tls: {cert: a}":           "1:1 config.missing",
	} {
		_, problems := Check("control.yaml", []byte(text))
		var got []string
		for _, p := range problems {
			got = append(got, strings.Join([]string{itoa(p.Line), ":", itoa(p.Column), " ", p.ID}, ""))
			for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
				if said := p.Text(lang) + p.Hint(lang); strings.Contains(said, "controlconfig.") {
					t.Errorf("%s: %s", text, said)
				}
			}
		}
		if want == "" && len(got) > 0 || want != "" && !slices.Contains(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func itoa(n int) string {
	b, _ := json.Marshal(n) // a number
	return string(b)
}

func TestPathsAreTheFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "control.yaml")
	text := "data: d\nsecrets: {folder: s}\ndatabase: {file: dsn}\nrelays: [{id: a, token: {file: t}}]\nlanguage: zh\nbackup: {key: k, spool: s, targets: [{id: a, url: /b, copy: local, prune: {file: p}}]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dsn"), []byte("postgres://db/holdfast\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems, err := Load(file)
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	dsn, err := c.DSN()
	if err != nil || dsn != "postgres://db/holdfast" {
		t.Error(dsn, err)
	}
	if c.Backup.Scratch != filepath.Join(dir, "d", "backup", "scratch") {
		t.Error(c.Backup.Scratch)
	}
	for _, path := range []string{c.Data, c.Secrets.Folder, c.Relays[0].Token.File, c.Backup.Key, c.Backup.Spool, c.Backup.Targets[0].Prune.File} {
		if filepath.Dir(path) != dir {
			t.Error(path)
		}
	}
	if c.Lease != 10*time.Second || c.Metrics.Retention != 30*24*time.Hour || c.Listen != "127.0.0.1:9800" || c.Relays[0].Admin != "http://127.0.0.1:9091" || c.Node == "" {
		t.Errorf("%+v", c)
	}
	plain, err := Default(dir)
	if err != nil {
		t.Fatal(err)
	}
	if dsn, err := plain.DSN(); err != nil || dsn != "sqlite:"+filepath.Join(dir, "state.db") || len(plain.Outgoing) > 0 {
		t.Error(dsn, plain.Outgoing, err)
	}
}

// TestSchemaTakesWhatCheckTakes holds the schema to a whole file.
func TestSchemaTakesWhatCheckTakes(t *testing.T) {
	var doc, good, bad any
	if err := json.Unmarshal(Schema(catalogue.En), &doc); err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("control.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("control.json")
	if err != nil {
		t.Fatal(err)
	}
	text := "schema: holdfast/control@1\nlisten: 127.0.0.1:9800\nnames: [a.example]\ndatabase: {env: DSN}\nrelays: [{id: a, token: {file: t}}]\noutgoing: [10.0.0.0/8]\n"
	if _, problems := Check("control.yaml", []byte(text)); len(problems) > 0 {
		t.Fatal(problems)
	}
	if err := yaml.Unmarshal([]byte(text), &good); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(good); err != nil {
		t.Error(err)
	}
	if err := yaml.Unmarshal([]byte("listne: x\n"), &bad); err != nil {
		t.Fatal(err)
	}
	if schema.Validate(bad) == nil {
		t.Error("the schema takes an unknown field")
	}
}

// TestTheEmergencyChannelCanSpeak refuses one that could not when it is needed.
func TestTheEmergencyChannelCanSpeak(t *testing.T) {
	none := func() any { return &struct{}{} }
	notify.All["test-approved"] = channel.Kind{Name: "test-approved", Templates: true, Settings: none}
	notify.All["test-phone"] = channel.Kind{Name: "test-phone", Address: "phone", Settings: none}
	defer delete(notify.All, "test-approved")
	defer delete(notify.All, "test-phone")
	for text, want := range map[string]string{
		"channels: [{id: a, kind: test-approved}]\nemergency: {channel: a, to: ['1']}": "controlconfig.emergency-template",
		"channels: [{id: a, kind: test-phone}]\nemergency: {channel: a}":               "controlconfig.emergency-to",
		"channels: [{id: a, kind: test-phone}]\nemergency: {channel: b}":               "controlconfig.emergency",
		"channels: [{id: a, kind: test-phone}]\nemergency: {channel: a, to: ['1']}":    "",
	} {
		_, problems := Check("control.yaml", []byte(text))
		got := ""
		for _, p := range problems {
			got += p.ID
			if said := p.Text(catalogue.Zh) + p.Hint(catalogue.Zh); strings.Contains(said, "controlconfig.") || strings.Contains(said, "no value") {
				t.Error(said)
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
