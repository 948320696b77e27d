package control

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"holdfast/internal/controlconfig"
	"holdfast/internal/secret"
)

// A relay is asked in the language of the settings, at its address of either
// family.
func TestARelayIsAskedInTheNodesLanguage(t *testing.T) {
	asked := ""
	relay := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Get("Accept-Language")
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	}))
	defer relay.Close()
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("t"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &Node{name: "here", o: Options{Config: controlconfig.Control{Language: "zh"}}}
	if _, err := n.relayAPI(controlconfig.Relay{ID: "shop", Admin: relay.URL, Token: secret.Ref{File: token}}).Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	if asked != "zh" {
		t.Errorf("it was asked in %q", asked)
	}
	for admin, rules := range map[string]int{"http://[::1]:9091": 1, "https://127.0.0.1": 1, "http://localhost:9091": 2} {
		if got := relayRules(admin); len(got) != rules {
			t.Errorf("%s: %v", admin, got)
		}
	}
}
