package relay_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"holdfast/relay"
)

// open runs a relay before an order service, with its data in a new folder.
func open(upstream string) (*relay.Relay, func()) {
	dir, err := os.MkdirTemp("", "relay")
	if err != nil {
		log.Fatal(err)
	}
	config := filepath.Join(dir, "relay.yaml")
	text := `listen: 127.0.0.1:9000
admin: {listen: "127.0.0.1:0"}
journal: {segment: 1MiB, size: 64MiB}
routes:
  - id: orders
    match: {path: /orders/**}
    upstream: ` + upstream + `
    key: json:/customer
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on, bytes: 16MiB}
    answer: {status: 202}
`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}
	r, err := relay.Open(context.Background(), relay.Options{Config: config, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	return r, func() {
		if err := r.Close(context.Background()); err != nil {
			log.Print(err)
		}
		_ = os.RemoveAll(dir)
	}
}

// A server of the program's own answers by the relay.
func ExampleRelay_Handler() {
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, "ordered")
	}))
	r, done := open(shop.URL)
	defer done()
	front := httptest.NewServer(r.Handler())
	defer front.Close()

	order := func(text string) {
		resp, err := http.Post(front.URL+"/orders/", "application/json", strings.NewReader(text))
		if err != nil {
			log.Fatal(err)
		}
		defer resp.Body.Close()
		fmt.Printf("%d %q\n", resp.StatusCode, resp.Header.Get("Holdfast-State"))
	}
	order(`{"customer":"li","no":1}`)
	shop.Close() // the shop goes down; its customers need not know
	order(`{"customer":"li","no":2}`)

	routes, err := r.Routes(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(routes[0].ID, routes[0].Mode, "pending", routes[0].Pending)
	// Output:
	// 201 ""
	// 202 "held"
	// orders hold pending 1
}

// A client of the program's own calls a provider through the relay.
func ExampleRelay_Transport() {
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s got %s", r.Host, text)
	}))
	defer provider.Close()
	r, done := open(provider.URL)
	defer done()

	client := &http.Client{Transport: r.Transport()}
	resp, err := client.Post("http://pay.example/orders/", "application/json", strings.NewReader(`{"customer":"li"}`))
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(text), err)

	// Maintenance at the provider: calls are kept until somebody says go.
	if err := r.Hold(relay.Setting{Route: "orders", Person: "li.wei", Why: "maintenance"}); err != nil {
		log.Fatal(err)
	}
	kept, err := client.Post("http://pay.example/orders/", "application/json", strings.NewReader(`{"customer":"li"}`))
	if err != nil {
		log.Fatal(err)
	}
	defer kept.Body.Close()
	fmt.Println(kept.StatusCode, kept.Header.Get("Holdfast-State"), strings.HasPrefix(kept.Header.Get("Location"), "/.holdfast/"))
	// Output:
	// 200 pay.example got {"customer":"li"} <nil>
	// 202 held true
}
