package binding_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"holdfast/internal/binding"
	"holdfast/internal/outgoing"
	"holdfast/internal/watch/probe"
	"holdfast/internal/watch/probe/kinds"
)

// TestWhatACheckWeighs makes thousands of checks as a node keeps them: beside
// the plan each takes what its looks need, and neither the plan's words again nor
// a request that is made anew.
func TestWhatACheckWeighs(t *testing.T) {
	const checks, most = 2000, 1200
	var text strings.Builder
	for i := range checks {
		fmt.Fprintf(&text, "  - {id: check-%d, http: \"https://shop.example/api/payments/health?a=%d\", every: 10s}\n", i, i)
	}
	p := withChecks(t, "10.0.0.5", "\n"+text.String())
	tools := probe.NewTools("here", outgoing.New(outgoing.Policy{}, nil), nil, nil)
	before := inUse()
	orders := binding.Orders(p)
	looks := make([]probe.Probe, len(orders))
	for i, o := range orders {
		s, err := o.Spec(later)
		if err != nil {
			t.Fatal(err)
		}
		if looks[i], err = kinds.New(s, tools); err != nil {
			t.Fatal(err)
		}
	}
	each := (inUse() - before) / checks
	t.Logf("%d bytes for each check", each)
	if each > most {
		t.Errorf("%d bytes for each check, more than %d", each, most)
	}
	runtime.KeepAlive(orders)
	runtime.KeepAlive(looks)
	runtime.KeepAlive(p)
}

func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what had finalizers goes with the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
