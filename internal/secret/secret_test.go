package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/goccy/go-yaml"

	"holdfast/internal/continuity"
)

func TestATextNeverShowsItself(t *testing.T) {
	const planted = "s3cr3t-value"
	holder := struct {
		Password Text
		Pointer  *Text
		Many     []Text
		By       map[string]Text
	}{Of(planted), new(Of(planted)), []Text{Of(planted)}, map[string]Text{"a": Of(planted)}}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+" "+verb, holder, holder.Password)
	}
	fmt.Fprint(&out, holder, holder.Password, errors.New(fmt.Sprint(holder.Password)))
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).Info("x", "secret", holder.Password, "holder", holder, "pointer", holder.Pointer)
	}
	b, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	if b, err = yaml.Marshal(holder); err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	if text := out.String(); strings.Contains(text, planted) || strings.Contains(text, fmt.Sprintf("%x", planted)) || !strings.Contains(text, hidden) {
		t.Error(text)
	}
	if holder.Password.Reveal() != planted {
		t.Error("revealed something else")
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "secrets")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(path, text string, mode os.FileMode) string {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	in := func(name, text string, mode os.FileMode) string {
		return write(filepath.Join(folder, name), text, mode)
	}
	dsn := in("DSN", "postgres://u:p@db/shop\n", 0o600)
	in("CRLF", "value\r\n", 0o640)
	in("TWO", "value\n\n", 0o600)
	in("OPEN", "value", 0o604)
	in("WRITABLE", "value", 0o620)
	in("EMPTY", "\n", 0o600)
	in("BIG", strings.Repeat("x", secrets.most+1), 0o600)
	in("FULL", strings.Repeat("x", secrets.most)+"\n", 0o600)
	in("BINARY", "a\x00b", 0o600)
	in("HUGE", strings.Repeat("x", certificates.most+1), 0o644)
	if err := syscall.Mkfifo(filepath.Join(folder, "PIPE"), 0o600); err != nil {
		t.Fatal(err)
	}
	own := write(filepath.Join(dir, "admin.token"), "the node's own\n", 0o600)
	if err := os.Symlink("../admin.token", filepath.Join(folder, "LINK")); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"HOLDFAST_SECRET_MAIL": "by env", "HOLDFAST_SECRET_DSN": "not this one", "HOME": "/root", "SHOP_DSN": "listed"}
	s := Source{Folder: folder, Prefix: DefaultPrefix, Listed: []string{"SHOP_DSN"}, Base: dir, Getenv: func(n string) string { return env[n] }}

	for _, c := range []struct {
		ref        Ref
		plan, node string // the value, or !why
	}{
		{Ref{Name: "DSN"}, "postgres://u:p@db/shop", "postgres://u:p@db/shop"},
		{Ref{Name: "MAIL"}, "by env", "by env"},
		{Ref{Name: "CRLF"}, "value", "value"},
		{Ref{Name: "TWO"}, "value\n", "value\n"},
		{Ref{Name: "OPEN"}, "!open", "!open"},
		{Ref{Name: "WRITABLE"}, "!open", "!open"},
		{Ref{Name: "EMPTY"}, "!empty", "!empty"},
		{Ref{Name: "BIG"}, "!big", "!big"},
		{Ref{Name: "FULL"}, strings.Repeat("x", secrets.most), strings.Repeat("x", secrets.most)},
		{Ref{Name: "BINARY"}, "!text", "!text"},
		{Ref{Name: "NONE"}, "!missing", "!missing"},
		{Ref{Name: "LINK"}, "!outside", "!outside"},
		{Ref{Name: "../admin.token"}, "!reference", "!reference"},
		{Ref{}, "!reference", "!reference"},
		{Ref{Name: "DSN", Env: "SHOP_DSN"}, "!reference", "!reference"},
		{Ref{Env: "HOLDFAST_SECRET_MAIL"}, "by env", "by env"},
		{Ref{Env: "SHOP_DSN"}, "listed", "listed"},
		{Ref{Env: "HOME"}, "!outside", "/root"},
		{Ref{Env: "UNSET"}, "!outside", "!missing"},
		{Ref{File: dsn}, "postgres://u:p@db/shop", "postgres://u:p@db/shop"},
		{Ref{File: "DSN"}, "postgres://u:p@db/shop", "!missing"},
		{Ref{File: own}, "!outside", "the node's own"},
		{Ref{File: "admin.token"}, "!missing", "the node's own"},
		{Ref{File: "../admin.token"}, "!outside", "!missing"},
		{Ref{File: folder}, "!unread", "!unread"},
		{Ref{Certificate: "OPEN"}, "value", "value"}, // it is public
		{Ref{Certificate: dsn}, "postgres://u:p@db/shop", "postgres://u:p@db/shop"},
		{Ref{Certificate: "WRITABLE"}, "!open", "!open"},
		{Ref{Certificate: "BIG"}, strings.Repeat("x", secrets.most+1), strings.Repeat("x", secrets.most+1)},
		{Ref{Certificate: "HUGE"}, "!big", "!big"},
		{Ref{Certificate: "NONE"}, "!missing", "!missing"},
		{Ref{Certificate: "LINK"}, "!outside", "!outside"},
		{Ref{Certificate: own}, "!outside", "!outside"},
		{Ref{Certificate: "/etc/passwd"}, "!outside", "!outside"},
		{Ref{Certificate: "/dev/zero"}, "!outside", "!outside"},
		{Ref{Certificate: "DSN", File: "DSN"}, "!reference", "!reference"},
		{Ref{Certificate: "PIPE"}, "!unread", "!unread"}, // that nobody writes to: it is not waited for
		{Ref{File: "PIPE"}, "!unread", "!missing"},
	} {
		for who, want := range map[string]string{"plan": c.plan, "node": c.node} {
			resolve := s.Resolve
			if who == "plan" {
				resolve = s.ForPlan
			}
			text, err := resolve(c.ref)
			got := text.Reveal()
			if e := new(continuity.Error); errors.As(err, &e) {
				got = "!" + e.Args["why"].(string)
				if e.Code != continuity.CodeSecret || e.Args["reference"] != c.ref.String() {
					t.Errorf("%v: %v", c.ref, e)
				}
			}
			if got != want {
				t.Errorf("%s, %v: got %.40q, want %.40q", who, c.ref, got, want)
			}
		}
	}
	if _, err := (Source{Prefix: ""}).ForPlan(Ref{Name: "DSN"}); continuity.CodeOf(err) != continuity.CodeSecret {
		t.Error(err)
	}

	later := s.Later(Ref{Name: "DSN"})
	in("DSN", "changed", 0o600)
	if got, err := later(); got != "changed" || err != nil {
		t.Errorf("after a change: %q, %v", got, err)
	}
}
