package host_test

import (
	"bytes"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/host"
)

func look(t *testing.T, part, device string, over float64) continuity.CheckResult {
	t.Helper()
	p, err := host.New(probe.Spec{ID: "a", Target: part, Device: device, Over: over, Timeout: 20 * time.Second}, &probe.Tools{Node: "here"})
	if err != nil {
		t.Fatal(err)
	}
	return p.Run(t.Context())
}

// TestEachPart looks at this machine: beneath a limit that nothing reaches all
// is well, above one that everything does it is not.
func TestEachPart(t *testing.T) {
	busy := make(chan struct{})
	defer close(busy)
	go func() { // so that the processors have something to do
		for x := 0; ; x++ {
			select {
			case <-busy:
				return
			default:
			}
		}
	}()
	for _, part := range []string{"cpu", "memory", "load"} {
		if r := look(t, part, "", 1e9); r.State != continuity.CheckUp || r.Values[part] <= 0 {
			t.Errorf("%s: %+v", part, r)
		}
		r := look(t, part, "", 1e-9)
		if r.State != continuity.CheckDegraded || r.Reason.Code != "watch.host-over" || !strings.ContainsAny(r.Reason.Args["value"].(string), "0123456789") {
			t.Errorf("%s: %+v", part, r)
		}
		if part != "load" && (r.Values[part] <= 0 || r.Values[part] > 1) {
			t.Errorf("%s is no share: %v", part, r.Values)
		}
	}
}

func TestDisk(t *testing.T) {
	r := look(t, "disk", "/", 1e-9)
	if r.State != continuity.CheckDegraded || r.Reason.Args["device"] != "/" {
		t.Fatalf("%+v", r)
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs("/", &st); err != nil {
		t.Fatal(err)
	}
	used := float64(st.Blocks - st.Bfree)
	full := used / (used + float64(st.Bavail))
	if inodes := 1 - float64(st.Ffree)/float64(max(st.Files, 1)); st.Files > 0 {
		full = max(full, inodes)
	}
	if got := r.Values["disk"]; got < full-0.02 || got > full+0.02 {
		t.Errorf("%g, and the kernel says %g", got, full)
	}
	if r := look(t, "disk", "/none", 0.5); r.State != continuity.CheckUnknown || r.Reason.Code != "watch.host-device" {
		t.Errorf("%+v", r)
	}
}

// TestNetwork sends through the loopback between two looks.
func TestNetwork(t *testing.T) {
	p, err := host.New(probe.Spec{ID: "a", Target: "network", Device: "lo", Over: 1e12, Timeout: 20 * time.Second}, &probe.Tools{})
	if err != nil {
		t.Fatal(err)
	}
	p.Run(t.Context())
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	began := time.Now()
	for range 200 {
		if _, err := l.WriteTo(bytes.Repeat([]byte{1}, 10000), l.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	r := p.Run(t.Context())
	if least := 2e6 / (time.Since(began).Seconds() + 2); r.State != continuity.CheckUp || r.Values["network"] < least {
		t.Errorf("%+v, want at least %g", r, least)
	}
}

func TestBadSpecs(t *testing.T) {
	for _, spec := range []probe.Spec{{Target: "cpu"}, {Target: "heat", Over: 1}, {Over: 1}} {
		if _, err := host.New(spec, &probe.Tools{}); err == nil {
			t.Errorf("made: %+v", spec)
		}
	}
}
