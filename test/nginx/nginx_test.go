package nginx

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holdfast/internal/catalogue"
	"holdfast/internal/config"
	"holdfast/internal/yamldoc"
)

func TestRelayInThePath(t *testing.T) {
	s := newStage(t, "nginx: in-the-path", "relay: hold")
	if status, _, body := s.order("A1", ""); status != 201 {
		t.Fatalf("shop up: %d %s, want 201", status, body)
	}

	s.shop.stop()
	status, location, body := s.order("A2", "")
	if status != 202 || location == "" {
		t.Fatalf("shop down: %d, Location %q, %s; want 202 with a receipt", status, location, body)
	}
	if state := s.state(location); state != "queued" {
		t.Errorf("receipt says %s, want queued", state)
	}

	s.shop.start(t)
	s.eventually("A2 delivered", func() bool { return s.state(location) == "delivered" })
	if n := s.shop.times("A2"); n != 1 {
		t.Errorf("A2 reached the shop %d times", n)
	}

	s.killRelay()
	if status, _, body := s.order("A3", ""); status != 201 || s.shop.times("A3") != 1 {
		t.Errorf("relay gone: %d %s, the shop has it %d times; want 201, once", status, body, s.shop.times("A3"))
	}
}

func TestRelayOnlyAsBackup(t *testing.T) {
	s := newStage(t, "nginx: only-as-backup", "relay: hold")
	s.killRelay()
	if status, _, body := s.order("B1", ""); status != 201 {
		t.Fatalf("shop up, relay gone: %d %s, want 201", status, body)
	}
	s.startRelay()

	s.shop.stop()
	status, location, body := s.order("B2", "")
	if status != 202 || location == "" {
		t.Fatalf("shop down: %d, Location %q, %s; want 202 with a receipt", status, location, body)
	}
	s.shop.start(t)
	s.eventually("B2 delivered", func() bool { return s.state(location) == "delivered" })
	if n := s.shop.times("B2"); n != 1 {
		t.Errorf("B2 reached the shop %d times", n)
	}
}

func TestMirrorObserves(t *testing.T) {
	s := newStage(t, "nginx: mirror", "relay: observe")
	const n = 20
	for i := range n {
		if status, _, body := s.order(fmt.Sprintf("C%d", i), ""); status != 201 {
			t.Fatalf("%d %s", status, body)
		}
	}
	for i := range n {
		if times := s.shop.times(fmt.Sprintf("C%d", i)); times != 1 {
			t.Errorf("C%d reached the shop %d times", i, times)
		}
	}
	s.eventually("the relay's report counts all copies", func() bool { return s.reported() >= n })
	if got := s.reported(); got != n {
		t.Errorf("the report counts %d requests, want %d", got, n)
	}
	s.killRelay()
	if status, _, body := s.order("C99", ""); status != 201 {
		t.Errorf("relay gone: %d %s, want 201", status, body)
	}
}

// reported is how many requests `holdfast relay report` counts that could be held.
func (s *stage) reported() int64 {
	s.t.Helper()
	binary, err := programs()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := exec.Command(binary, "relay", "report", "--json", "--config", filepath.Join(s.dir, "relay.yaml")).Output()
	if err != nil {
		s.t.Fatalf("holdfast relay report: %v\n%s", err, out)
	}
	var report struct {
		Routes []struct {
			Route  string
			Counts map[string]int64
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	for _, r := range report.Routes {
		if r.Route == "orders" {
			return r.Counts["holdable"]
		}
	}
	return 0
}

func TestShareOfClients(t *testing.T) {
	s := newStage(t, "nginx: share", "relay: hold")
	s.shop.stop()
	ways := map[int]int{}
	for client := 2; client <= 120; client++ {
		from := fmt.Sprintf("127.0.0.%d", client)
		first, _, _ := s.order(fmt.Sprintf("D%d-1", client), from)
		second, _, _ := s.order(fmt.Sprintf("D%d-2", client), from)
		if first != second {
			t.Errorf("%s goes both ways: %d, then %d", from, first, second)
		}
		ways[first]++
	}
	if ways[202] == 0 || ways[502] == 0 || ways[202]+ways[502] != 119 {
		t.Errorf("answers %v, want 202 for the relay's share and 502 for the rest", ways)
	}
	if ways[202] > 40 {
		t.Errorf("%d of 119 clients go through the relay, want about a tenth", ways[202])
	}
}

// TestPageHasNoUntriedConfig keeps every configuration on the page under test.
func TestPageHasNoUntriedConfig(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	fences := regexp.MustCompile("(?m)^```(nginx|yaml)$").FindAll(text, -1)
	markers := regexp.MustCompile("(?m)^<!-- (nginx|relay): [a-z-]+ -->\n```(nginx|yaml)$").FindAllSubmatch(text, -1)
	if len(fences) != len(markers) {
		t.Errorf("%d configurations on the page, %d of them marked for the tests", len(fences), len(markers))
	}
	for _, marker := range []string{"relay: hold", "relay: observe"} {
		for _, p := range config.Check("relay.yaml", []byte(block(t, marker))) {
			if p.Severity != yamldoc.Warning {
				t.Errorf("%s: %d: %s", marker, p.Line, p.Text(catalogue.En))
			}
		}
	}
	if !strings.Contains(string(text), "nginx -s reload") {
		t.Error("no way back on the page")
	}
}
