package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"holdfast/internal/demo/customers"
	"holdfast/internal/demo/process"
	"holdfast/internal/loopback"
)

// world is everything that runs: the shop and the relay before it.
type world struct {
	options options
	dir     string // of this run
	spawner *process.Spawner
	db      customers.Database

	shopAddr, relayAddr, adminAddr string
	shop, relay                    *process.Process
}

// newWorld makes a folder for the run and chooses free ports.
func newWorld(o options) (*world, error) {
	if err := os.MkdirAll(o.dir, 0o750); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.dir, "run-")
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	w := &world{options: o, dir: dir, spawner: process.New()}
	w.db = customers.Database{File: filepath.Join(dir, "shop.db"), DSN: o.dsn}
	addrs, err := loopback.Addresses(3)
	if err != nil {
		return nil, err
	}
	w.shopAddr, w.relayAddr, w.adminAddr = addrs[0], addrs[1], addrs[2]
	return w, nil
}

func (w *world) startShop() error {
	args := []string{filepath.Join(w.options.bin, "shop"), "--listen", w.shopAddr, "--db", w.db.File,
		"--dsn", w.db.DSN, "--capacity", strconv.FormatFloat(w.options.capacity, 'f', -1, 64),
		"--customers", strconv.Itoa(w.options.customers), "--goods", strconv.Itoa(w.options.goods)}
	p, err := w.spawner.Start("shop", filepath.Join(w.dir, "shop.log"), args...)
	if err != nil {
		return fmt.Errorf("start the shop: %w (run: make build)", err)
	}
	w.shop = p
	return p.Ready(w.shopAnswers, 15*time.Second)
}

func (w *world) shopAnswers() error { return probe("http://" + w.shopAddr + "/healthz") }

var prober = &http.Client{
	Timeout:   2 * time.Second,
	Transport: &http.Transport{DisableKeepAlives: true},
}

func probe(url string) error {
	response, err := prober.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, response.Status)
	}
	return nil
}

func (w *world) startRelay(ctx context.Context) error {
	config := filepath.Join(w.dir, "relay.yaml")
	// It may hold a password, which the configuration itself must not.
	_, dsn := w.db.Driver()
	if err := os.WriteFile(filepath.Join(w.dir, "shop.dsn"), []byte(dsn+"\n"), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(config, []byte(w.relayConfig()), 0o600); err != nil {
		return err
	}
	p, err := w.spawner.Start("relay", filepath.Join(w.dir, "relay.log"),
		filepath.Join(w.options.bin, "holdfast"), "relay", "--config", config)
	if err != nil {
		return fmt.Errorf("start the relay: %w (run: make build)", err)
	}
	w.relay = p
	return p.Ready(func() error {
		_, err := w.status(ctx)
		return err
	}, 15*time.Second)
}

// relayConfig is what a company would write to protect this shop.
func (w *world) relayConfig() string {
	driver, _ := w.db.Driver()
	return strings.NewReplacer(
		"RELAY", w.relayAddr, "ADMIN", w.adminAddr, "SHOP", w.shopAddr,
		"CAPACITY", strconv.FormatFloat(w.options.ordersCapacity(), 'f', -1, 64),
		"DRIVER", driver,
	).Replace(`schema: holdfast/relay@1
listen: RELAY
admin:
  listen: ADMIN
data: data

routes:
  - id: orders
    match: {path: /api/orders/**, methods: [POST, PUT, DELETE]}
    upstream: http://SHOP
    key: json:/order_no
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on, age: 24h}
    answer: {status: 202}
    capacity: CAPACITY/s
    ramp: {start: 10%, window: 8s}
    timeouts: {attempt: 5s}
    settle: 5s
    detect: {check: {path: /healthz, every: 500ms, up: 1}}
    reconcile:
      driver: DRIVER
      dsn: {file: shop.dsn}
      query: select order_no, total, currency from events where kind = 'created'
      methods: [POST]
      amount: json:/total

  - id: reads
    match: {path: /api/**, methods: [GET]}
    upstream: http://SHOP
    timeouts: {attempt: 5s}
`)
}
