package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// parked is how many keys wait for a person in the second column.
const parked = 1000

const holdOff = `
listen: 127.0.0.1:PORT
admin: {listen: "127.0.0.1:ADMIN"}
data: DATA
routes:
  - id: orders
    upstream: http://UPSTREAM
    hold: {state: never}
`

const holdOn = `
listen: 127.0.0.1:PORT
admin: {listen: "127.0.0.1:ADMIN"}
data: DATA
routes:
  - id: orders
    upstream: http://UPSTREAM
    key: json:/order_no
    idempotency: {by: key, remembers: 72h}
    caller: public
    hold: {state: on}
    answer: {status: 202}
    capacity: 50000/s
    poison: {attempts: 1, then: park}
    ramp: {start: 100%}
`

// holdfast is the real relay in front of the upstream.
type holdfast struct {
	passer
	dir   string
	admin string
}

// buildHoldfast builds the relay as it is released.
func (b *bench) buildHoldfast() error {
	if b.binary != "" {
		return nil
	}
	b.binary = filepath.Join(b.dir, "holdfast")
	cmd := exec.Command("go", "build", "-C", "..", "-trimpath", "-ldflags", "-s -w", "-o", b.binary, "./cmd/holdfast")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	return nil
}

func (b *bench) startHoldfast(text, upstream string) (*holdfast, error) {
	dir, err := os.MkdirTemp(b.dir, "relay-")
	if err != nil {
		return nil, err
	}
	port, err1 := freePort()
	admin, err2 := freePort()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	file, data := filepath.Join(dir, "relay.yaml"), filepath.Join(dir, "data")
	text = strings.NewReplacer("PORT", port, "ADMIN", admin, "UPSTREAM", upstream, "DATA", data).Replace(text)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	d, err := place{dir: dir, env: os.Environ()}.daemon(b.binary, "relay", "--config", file)
	if err != nil {
		return nil, err
	}
	h := &holdfast{dir: data, admin: "127.0.0.1:" + admin, passer: passer{addr: "127.0.0.1:" + port, pid: d.cmd.Process.Pid}}
	h.stop = func() {
		d.quit = syscall.SIGTERM
		d.stop()
	}
	if err := answers(h.addr, d.ended); err != nil {
		return nil, d.failed(err)
	}
	return h, nil
}

// metric is the sum of the series that begin with one of some texts.
func (h *holdfast) metric(prefixes ...string) (float64, error) {
	res, err := http.Get("http://" + h.admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err
	}
	sum, found := 0.0, false
	for line := range strings.Lines(string(text)) {
		for _, p := range prefixes {
			if rest, ok := strings.CutPrefix(line, p); ok {
				n, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
				if err != nil {
					return 0, err
				}
				sum, found = sum+n, true
			}
		}
	}
	if !found {
		return 0, fmt.Errorf("no series %s", prefixes[0])
	}
	return sum, nil
}

// scraped scrapes the metrics every second until it is ended.
func (h *holdfast) scraped() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		every := time.NewTicker(time.Second)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
				_, _ = h.metric("go_goroutines ") // only what it costs
			}
		}
	}()
	return cancel
}

// set is a person's setting of the route.
func (h *holdfast) set(intake, replay string) error {
	token, err := os.ReadFile(filepath.Join(h.dir, "admin.token"))
	if err != nil {
		return err
	}
	body := fmt.Sprintf(`{"route":"orders","intake":%q,"replay":%q,"person":"bench","why":"to measure"}`, intake, replay)
	req, err := http.NewRequest(http.MethodPost, "http://"+h.admin+"/api/v1/switches", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("switching to %s: %s %s %v", intake, res.Status, text, err)
	}
	return nil
}

// park has keys parked: their requests are held, and the upstream asks for each
// of them to be sent later. Where that takes too long the rest stays queued,
// with replay off: to the live path they are the same.
func (h *holdfast) park(n int) (said string, err error) {
	if err := h.set("hold", "off"); err != nil {
		return "", err
	}
	c, err := dial(h.addr)
	if err != nil {
		return "", err
	}
	defer c.conn.Close()
	for i := range n {
		if err := c.hold(h.addr, i); err != nil {
			return "", err
		}
	}
	if err := h.set("pass", "on"); err != nil {
		return "", err
	}
	const is, was = `holdfast_relay_backlog_records{route="orders",state="parked"} `, `holdfast_relay_backlog_records{route="orders",state="queued"} `
	done := 0.0
	poll := time.NewTicker(200 * time.Millisecond)
	defer poll.Stop()
	for until := time.Now().Add(15 * time.Second); time.Now().Before(until) && int(done) < n; <-poll.C {
		if done, err = h.metric(is); err != nil {
			return "", err
		}
	}
	if err := h.set("pass", "off"); err != nil {
		return "", err
	}
	left, err := h.metric(is, was)
	if err != nil {
		return "", err
	}
	if left < float64(n) {
		return "", fmt.Errorf("only %.0f of %d records pending", left, n)
	}
	return fmt.Sprintf("%.0f keys parked and %.0f queued", done, left-done), nil
}

// hold sends an order of a key that the upstream never takes.
func (c *connection) hold(host string, n int) error {
	body := fmt.Appendf(nil, `{"order_no":"P%d","note":"`, n)
	body = append(body, padding[:bodyBytes-2-len(body)]...)
	body = append(body, `"}`...)
	c.out = fmt.Appendf(c.out[:0], "POST /orders HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nIdempotency-Key: park-%d\r\nContent-Length: %d\r\n\r\n%s", host, n, len(body), body)
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	c.in = c.in[:0]
	for {
		got, err := c.conn.Read(c.in[len(c.in):cap(c.in)])
		if err != nil {
			return err
		}
		c.in = c.in[:len(c.in)+got]
		if whole, err := accepted(c.in); whole || err != nil {
			return err
		}
	}
}

// allocations is what passing a request allocates in the relay, over real
// sockets: objects, and bytes. A short run and a long one open as many
// connections and are looked at as often, so their difference is passing alone,
// and what the relay does beside.
func (h *holdfast) allocations(requests int) (objects, bytes float64, err error) {
	read := func() (m, b float64, err error) {
		if m, err = h.metric("go_memstats_mallocs_total "); err == nil {
			b, err = h.metric("go_memstats_alloc_bytes_total ")
		}
		return m, b, err
	}
	run := func(d time.Duration) (m, b, n float64, err error) {
		m0, b0, err := read()
		if err != nil {
			return 0, 0, 0, err
		}
		f, err := drive(h.addr, clients, 0, d)
		if err != nil {
			return 0, 0, 0, err
		}
		m, b, err = read()
		return m - m0, b - b0, float64(f.requests), err
	}
	short := time.Second
	m1, b1, n1, err := run(short)
	if err != nil {
		return 0, 0, err
	}
	if n1 == 0 {
		return 0, 0, errors.New("nothing was passed")
	}
	long := short + time.Duration(float64(requests)/n1*float64(short))
	m2, b2, n2, err := run(min(long, 20*time.Second))
	if err == nil && n2 <= n1 {
		err = errors.New("the long run passed no more than the short one")
	}
	return (m2 - m1) / (n2 - n1), (b2 - b1) / (n2 - n1), err
}
