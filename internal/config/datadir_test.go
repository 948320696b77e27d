package config

import (
	"os"
	"path/filepath"
	"testing"
)

func TestDataDirOfABadFile(t *testing.T) {
	for text, want := range map[string]string{
		"listen: 127.0.0.1:1\n":                   "data",
		"data: state\nroutes: [\n":                "state",
		"listen: x\ndata: \"kept here\"  # why\n": "kept here",
		"data: /srv/kept\r\n":                     "/srv/kept",
		"journal:\n  data: inner\n":               "data",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "relay.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if !filepath.IsAbs(want) {
			want = filepath.Join(dir, want)
		}
		if got := DataDir(path); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	if got, want := DataDir("/nowhere/relay.yaml"), "/nowhere/data"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
