package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What is looked at in the row about checks: each address once, so that no
// connection serves two of them.
const (
	watchedServices = 10
	watchedEach     = 1000
	watchedFor      = 20 * time.Second
	blackboxProbes  = 5000
	blackboxAtOnce  = 16
)

// checksRows has a control node look at ten thousand web addresses every ten
// seconds, and blackbox_exporter at the same ones as fast as it is asked.
func (b *bench) checksRows() error {
	if err := b.buildHoldfast(); err != nil {
		return err
	}
	// All of 127.0.0.0/8 leads to this listener.
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		return err
	}
	shop := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })}
	go func() { _ = shop.Serve(listener) }()
	defer shop.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	address := func(i int) string {
		return fmt.Sprintf("http://127.%d.%d.%d:%d/healthz", 1+i/50_000, i/200%250, 1+i%200, port)
	}
	ours, err := b.watched(address)
	if err != nil {
		return err
	}
	theirs, err := b.blackbox(address)
	if err != nil {
		b.row("10,000 HTTP checks every 10 s: CPU a check beside blackbox_exporter", "not measured: "+err.Error(), "<= 0.17")
		return nil
	}
	b.row("10,000 HTTP checks every 10 s: CPU a check beside blackbox_exporter", fmt.Sprintf("%.2f (%.0f us beside %.0f us)", ours/theirs, ours, theirs), "<= 0.17")
	return nil
}

func (b *bench) watched(address func(int) string) (micros float64, err error) {
	dir, err := os.MkdirTemp(b.dir, "checks-")
	if err != nil {
		return 0, err
	}
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return 0, err
	}
	if err := fillPeople(filepath.Join(data, "state.db")); err != nil {
		return 0, err
	}
	node, err := b.startControl(dir, data)
	if err != nil {
		return 0, err
	}
	defer node.stop()
	for s := range watchedServices {
		var tech strings.Builder
		service := serviceID(s)
		fmt.Fprintf(&tech, "schema: holdfast/plan-tech@1\nplan: %s\nallow: [127.0.0.0/8]\nchecks:\n", service)
		for i := range watchedEach {
			fmt.Fprintf(&tech, "  - {id: check-%d, http: %q, every: 10s, timeout: 5s}\n", i, address(s*watchedEach+i))
		}
		var out json.RawMessage
		if err := node.do(http.MethodPost, "/plans/"+service+"/versions", map[string]any{
			"base": 0, "plan": strings.ReplaceAll(controlPlan, "ID", service), "tech": tech.String(), "reason": "bench",
		}, &out); err != nil {
			return 0, err
		}
	}
	time.Sleep(15 * time.Second) // each was looked at, and what was new is written
	before, err := node.looks()
	if err != nil {
		return 0, err
	}
	cpu, err := cpuOf(node.pid)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	time.Sleep(watchedFor)
	later, err := cpuOf(node.pid)
	if err != nil {
		return 0, err
	}
	took := time.Since(began)
	after, err := node.looks()
	if err != nil {
		return 0, err
	}
	memory, err := resident(node.pid)
	if err != nil {
		return 0, err
	}
	looks := after.total - before.total
	if looks == 0 {
		return 0, errors.New("the control node does not look")
	}
	b.row("10,000 HTTP checks every 10 s: looks in that time, skipped, not up", fmt.Sprintf("%.0f of %.0f, %.0f, %d",
		looks, float64(watchedServices*watchedEach)*took.Seconds()/10, after.skipped, after.unwell), "all, 0, 0")
	b.row("10,000 HTTP checks every 10 s: share of a core, with storage", fmt.Sprintf("%.1f %%", 100*(later-cpu).Seconds()/took.Seconds()), "< 10 %")
	b.row("10,000 HTTP checks every 10 s: resident, with storage", fmt.Sprintf("%d MB", memory>>20), "< 200 MB")
	return float64((later - cpu).Microseconds()) / looks, nil
}

// looked is what a node says of its looks.
type looked struct {
	total, skipped float64
	unwell         int
}

func (n *controlNode) looks() (l looked, err error) {
	req, err := http.NewRequest(http.MethodGet, n.url+"/metrics", nil)
	if err != nil {
		return l, err
	}
	req.Header.Set("Authorization", "Bearer "+n.token)
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		return l, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return l, err
	}
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "holdfast_control_check_looks_total %g", &l.total)
		_, _ = fmt.Sscanf(line, "holdfast_control_check_looks_skipped_total %g", &l.skipped)
	}
	for _, state := range []string{"down", "degraded", "unknown"} {
		var page struct{ Items []json.RawMessage }
		if err := n.do(http.MethodGet, "/checks?limit=1000&state="+state, nil, &page); err != nil {
			return l, err
		}
		l.unwell += len(page.Items)
	}
	return l, nil
}

// blackbox is how much CPU a probe of blackbox_exporter takes.
func (b *bench) blackbox(address func(int) string) (micros float64, err error) {
	program, err := installed("prometheus-blackbox-exporter", "prometheus-blackbox-exporter")
	if err != nil {
		return 0, err
	}
	port, err := freePort()
	if err != nil {
		return 0, err
	}
	file := filepath.Join(b.dir, "blackbox.yml")
	if err := os.WriteFile(file, []byte("modules:\n  http_2xx: {prober: http, timeout: 5s}\n"), 0o600); err != nil {
		return 0, err
	}
	cmd := exec.Command(program, "--config.file="+file, "--web.listen-address=127.0.0.1:"+port, "--log.level=error")
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: blackboxAtOnce}, Timeout: 10 * time.Second}
	ask := func(i int) error {
		response, err := client.Get("http://127.0.0.1:" + port + "/probe?module=http_2xx&target=" + url.QueryEscape(address(i)))
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err == nil && !strings.Contains(string(text), "probe_success 1") {
			err = errors.New("a probe did not succeed")
		}
		return err
	}
	for end := time.Now().Add(10 * time.Second); ask(0) != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return 0, errors.New("blackbox_exporter does not answer")
		}
	}
	cpu, err := cpuOf(cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	var next, failed atomic.Int64
	var all sync.WaitGroup
	for range blackboxAtOnce {
		all.Go(func() {
			for i := next.Add(1); i <= blackboxProbes; i = next.Add(1) {
				if ask(int(i)) != nil {
					failed.Add(1)
				}
			}
		})
	}
	all.Wait()
	later, err := cpuOf(cmd.Process.Pid)
	if err != nil {
		return 0, err
	}
	if n := failed.Load(); n > 0 {
		return 0, fmt.Errorf("%d of %d probes failed", n, blackboxProbes)
	}
	return float64((later - cpu).Microseconds()) / blackboxProbes, nil
}
