package control

import (
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/binding"
	"holdfast/internal/continuity"
	"holdfast/internal/outgoing"
	"holdfast/internal/plan"
	"holdfast/internal/secret"
	"holdfast/internal/watch/probe"
)

// TestCertificatesOfAPlan has a check's authorities read below the folder of
// secrets alone, and as soon as they are there.
func TestCertificatesOfAPlan(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	dir := t.TempDir()
	folder := filepath.Join(dir, "secrets")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o644); err != nil {
		t.Fatal(err)
	}
	rules, err := outgoing.Rules("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	tools := probe.NewTools("here", outgoing.New(outgoing.NewPolicy(rules...), nil), nil, nil)
	look := func(ca string) func(string) {
		check := plan.Check{TLS: strings.TrimPrefix(server.URL, "https://"), Timeout: 10 * time.Second, Trust: &plan.Trust{CA: ca, Name: "example.com"}}
		l := lookOf(binding.Order{ID: "shop/web", Check: &check}, tools, secret.Source{Folder: folder}, slog.New(slog.DiscardHandler))
		return func(why string) {
			t.Helper()
			r := l.Run(t.Context())
			if why == "" && r.State != continuity.CheckUp || why != "" && (r.State != continuity.CheckUnknown || r.Reason.Code != "watch.no-secret" || r.Reason.Args["why"] != why || r.Check != "shop/web" || r.Node != "here") {
				t.Errorf("%s: %+v, not %q", ca, r, why)
			}
		}
	}
	for _, outside := range []string{filepath.Join(dir, "ca.pem"), "../ca.pem", "/dev/ptmx"} {
		look(outside)("outside")
	}
	for _, inside := range []string{"later.pem", filepath.Join(folder, "later.pem")} {
		again := look(inside)
		again("missing")
		if err := os.WriteFile(filepath.Join(folder, "later.pem"), ca, 0o644); err != nil {
			t.Fatal(err)
		}
		again("")
		if err := os.Remove(filepath.Join(folder, "later.pem")); err != nil {
			t.Fatal(err)
		}
		again("") // it was read
	}
}
