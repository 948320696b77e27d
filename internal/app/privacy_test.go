package app

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/api"
	"holdfast/internal/loopback"
)

// An erasure reaches what stands beside the journal: last good responses that
// mention the customer go, others stay. What webhooks have yet to tell never held
// anything of a customer: receipts, states and times.
func TestRule10_3_ErasureReachesWhatStandsBesideTheJournal(t *testing.T) {
	const customer = "13800001111"
	address, err := loopback.Address()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	shop := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		fmt.Fprintf(w, "orders of %s", r.URL.Query().Get("of"))
	}))
	shop.Listener.Close()
	shop.Listener = l
	shop.Start()
	defer shop.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hook.secret"), []byte(hookSecret), 0o600); err != nil {
		t.Fatal(err)
	}
	asked := make(chan struct{}, 100)
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable) // so that it has yet to be told
		asked <- struct{}{}
	}))
	defer endpoint.Close()
	a := start(t, write(t, dir, strings.Replace(orders(address), "    caller: public", `    caller: public
    reply: {cache: true}
    receipt: {webhook: {url: "`+endpoint.URL+`", secret: {file: hook.secret}}}`, 1)))
	get := func(of string) (int, string) {
		t.Helper()
		res, err := http.Get("http://" + a.Addr() + "/orders/list?of=" + of)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(text)
	}
	for _, of := range []string{customer, "another"} {
		if status, text := get(of); status != http.StatusOK || text != "orders of "+of {
			t.Fatal(status, text)
		}
	}
	switchTo(t, a, "hold")
	if status, _ := place(t, a, "1", `{"no":"`+customer+`"}`); status != http.StatusAccepted {
		t.Fatal(status)
	}
	switchTo(t, a, "pass") // replayed, and the end can't be told
	<-asked
	shop.Close()
	if status, text := get(customer); status != http.StatusOK || !strings.Contains(text, customer) {
		t.Fatalf("no last good response: %d %s", status, text)
	}
	done, err := client(t, a).ErasePrivate(t.Context(), api.PrivacyRequest{Route: "orders", Key: customer, Why: "asked by the customer"})
	if err != nil || len(done.Items) != 1 {
		t.Fatal(done, err)
	}
	if status, text := get(customer); status != http.StatusServiceUnavailable || strings.Contains(text, customer) {
		t.Errorf("it is still shown: %d %s", status, text)
	}
	if status, text := get("another"); status != http.StatusOK || text != "orders of another" {
		t.Errorf("another's is gone, too: %d %s", status, text)
	}
	stop(t, a) // what is to be told is on disk then
	files, err := filepath.Glob(filepath.Join(a.home.DataDir, "webhooks", "*.json"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil || !strings.Contains(string(text), `"state":"delivered"`) || strings.Contains(string(text), customer) {
		t.Errorf("%s, %v", text, err)
	}
}
