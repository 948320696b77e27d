package doctor_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/config"
	"holdfast/internal/continuity"
	"holdfast/internal/doctor"
	"holdfast/internal/endpoint"
	"holdfast/internal/keyring"
	"holdfast/internal/loopback"
	"holdfast/internal/yamldoc"
)

func target(t *testing.T) doctor.Target {
	t.Helper()
	up := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(up.Close)
	data := filepath.Join(t.TempDir(), "data")
	return doctor.Target{
		Version: "1", Go: "go1", File: "relay.yaml",
		Config: &config.Relay{
			Listeners: []continuity.Listener{{Address: "127.0.0.1:0"}}, AdminListen: "127.0.0.1:0", DataDir: data, JournalDir: filepath.Join(data, "journal"),
			MasterKeyFile: filepath.Join(data, "master.key"), TokenFile: filepath.Join(data, "admin.token"),
			Limits: continuity.Limits{Bytes: 1 << 20},
			Routes: []continuity.Route{{ID: "orders", Upstream: up.URL}},
		},
	}
}

func TestFindings(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*testing.T, *doctor.Target)
		check  string
		level  doctor.Level
		id     string
	}{
		"program":       {func(*testing.T, *doctor.Target) {}, "program", doctor.OK, "fine"},
		"changed tree":  {func(_ *testing.T, d *doctor.Target) { d.Modified = true }, "program", doctor.Warn, "modified"},
		"configuration": {func(*testing.T, *doctor.Target) {}, "config", doctor.OK, "fine"},
		"bad configuration": {func(_ *testing.T, d *doctor.Target) {
			d.Config, d.Problems = nil, []yamldoc.Problem{{Line: 3, Severity: yamldoc.Error}}
		}, "config", doctor.Fail, "bad"},
		"skipped without one": {func(_ *testing.T, d *doctor.Target) { d.Config, d.Err = nil, os.ErrNotExist }, "disk", doctor.Skip, "skipped"},
		"clock":               {func(*testing.T, *doctor.Target) {}, "clock", doctor.OK, "fine"},
		"no folder yet":       {func(*testing.T, *doctor.Target) {}, "data", doctor.OK, "new"},
		"folder":              {makeData, "data", doctor.OK, "fine"},
		"open folder": {func(t *testing.T, d *doctor.Target) {
			makeData(t, d)
			check(t, os.Chmod(d.Config.DataDir, 0o755))
		}, "data", doctor.Warn, "open"},
		"file for a folder":   {func(t *testing.T, d *doctor.Target) { check(t, os.WriteFile(d.Config.DataDir, nil, 0o600)) }, "data", doctor.Fail, "file"},
		"too large a journal": {func(_ *testing.T, d *doctor.Target) { d.Config.Limits.Bytes = 1 << 60 }, "space", doctor.Warn, "short"},
		"key to be made":      {func(*testing.T, *doctor.Target) {}, "key", doctor.OK, "new"},
		"key": {func(t *testing.T, d *doctor.Target) {
			_, err := keyring.Create(d.Config.MasterKeyFile)
			check(t, err)
		}, "key", doctor.OK, "fine"},
		"open key": {func(t *testing.T, d *doctor.Target) {
			_, err := keyring.Create(d.Config.MasterKeyFile)
			check(t, err)
			check(t, os.Chmod(d.Config.MasterKeyFile, 0o640))
		}, "key", doctor.Fail, "bad"},
		"journal without its key": {func(t *testing.T, d *doctor.Target) {
			check(t, os.MkdirAll(d.Config.JournalDir, 0o700))
			check(t, os.WriteFile(filepath.Join(d.Config.JournalDir, "x"), []byte("x"), 0o600))
		}, "key", doctor.Fail, "missing"},
		"open token": {func(t *testing.T, d *doctor.Target) {
			_, err := endpoint.ReadOrCreateToken(d.Config.TokenFile)
			check(t, err)
			check(t, os.Chmod(d.Config.TokenFile, 0o604))
		}, "token", doctor.Fail, "bad"},
		"no journal": {func(*testing.T, *doctor.Target) {}, "journal", doctor.OK, "new"},
		"free port":  {func(*testing.T, *doctor.Target) {}, "listen", doctor.OK, "free"},
		"taken port": {takePort, "listen", doctor.Fail, "taken"},
		"our port": {func(t *testing.T, d *doctor.Target) {
			takePort(t, d)
			makeData(t, d)
			ours := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			t.Cleanup(ours.Close)
			check(t, endpoint.Write(d.Config.DataDir, endpoint.Relay, endpoint.Endpoint{Address: strings.TrimPrefix(ours.URL, "http://"), PID: 7}))
		}, "listen", doctor.OK, "ours"},
		"upstream": {func(*testing.T, *doctor.Target) {}, "upstream", doctor.OK, "fine"},
		"no upstream": {func(t *testing.T, d *doctor.Target) {
			noUpstream(t, d)
			d.Config.Routes[0].Hold.State = continuity.HoldOn
		}, "upstream", doctor.Warn, "unreachable"},
		"no upstream in observe": {noUpstream, "upstream", doctor.Warn, "unreachable-observe"},
		"no upstream and no key": {func(t *testing.T, d *doctor.Target) {
			noUpstream(t, d)
			d.Config.Routes[0].Hold.State = continuity.HoldOn
			check(t, os.MkdirAll(d.Config.JournalDir, 0o700))
			check(t, os.WriteFile(filepath.Join(d.Config.JournalDir, "x"), []byte("x"), 0o600))
		}, "upstream", doctor.Warn, "unreachable-keyless"},
	} {
		t.Run(name, func(t *testing.T) {
			d := target(t)
			tc.change(t, &d)
			found := doctor.Run(t.Context(), d)
			for _, f := range found {
				if f.Check == tc.check {
					if f.Level != tc.level || f.ID != tc.id {
						t.Errorf("got %s %s: %s", f.Level, f.ID, f.Text(catalogue.En))
					}
					told(t, f)
					return
				}
			}
			t.Errorf("nothing was found about %s", tc.check)
		})
	}
}

// told holds a finding to texts in both languages, with advice where it is due.
func told(t *testing.T, f doctor.Finding) {
	t.Helper()
	for _, lang := range []catalogue.Lang{catalogue.En, catalogue.Zh} {
		advised := f.Level == doctor.Warn || f.Level == doctor.Fail
		texts := f.Name(lang) + f.Text(lang) + f.Advice(lang)
		if (f.Advice(lang) != "") != advised || strings.Contains(texts, "doctor.") || strings.Contains(texts, "<no value>") {
			t.Errorf("%s: %q", lang, texts)
		}
	}
}

func TestDoctorLeavesNothingBehind(t *testing.T) {
	d := target(t)
	makeData(t, &d)
	doctor.Run(t.Context(), d)
	left, err := os.ReadDir(d.Config.DataDir)
	if err != nil || len(left) != 0 {
		t.Errorf("%v %v", left, err)
	}
}

func makeData(t *testing.T, d *doctor.Target) {
	t.Helper()
	check(t, os.MkdirAll(d.Config.DataDir, 0o700))
}

func noUpstream(t *testing.T, d *doctor.Target) {
	t.Helper()
	address, err := loopback.Address()
	check(t, err)
	d.Config.Routes[0].Upstream = "http://" + address
}

func takePort(t *testing.T, d *doctor.Target) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { l.Close() })
	d.Config.Listeners[0].Address = l.Addr().String()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
