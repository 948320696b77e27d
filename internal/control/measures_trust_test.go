package control

import (
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/plan"
)

// TestCertificatesOfAnEndpoint has figures read with the certificates that there
// are at each reading, while the plan stays the same.
func TestCertificatesOfAnEndpoint(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "up 1") }))
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	c := settings(t, t.TempDir(), "")
	c.Secrets.Folder = filepath.Join(t.TempDir(), "secrets")
	folder := c.Secrets.Folder
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	tech := "schema: holdfast/plan-tech@1\nallow: [127.0.0.0/8]\nscrape:\n  - {id: web, targets: [" + server.URL + "/metrics], trust: {ca: ca.pem, server_name: example.com}}\n"
	p, problems := plan.Read(plan.Source{Name: "shop.yaml", Text: []byte(checkedPlan)}, &plan.Source{Name: "shop.tech.yaml", Text: []byte(tech)}, nil)
	n := &Node{name: "here", log: slog.New(slog.DiscardHandler), o: Options{Config: c}}
	targets := n.planTargets([]*plan.Plan{p})
	if len(targets) != 1 {
		t.Fatal(targets, problems)
	}
	read := func(what string, want bool) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, targets[0].URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := targets[0].client.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		if (err == nil) != want {
			t.Errorf("%s: %v", what, err)
		}
	}
	file := filepath.Join(folder, "ca.pem")
	read("before there is one", false)
	write(t, file, string(ca))
	read("as soon as there is one", true)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	read("once it is taken away", false)
}
