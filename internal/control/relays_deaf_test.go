package control

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"

	"holdfast/internal/api"
	"holdfast/internal/binding"
	"holdfast/internal/catalogue"
	"holdfast/internal/continuity"
)

// TestADeafRelay has one relay not answer before another was told; the deaf one is
// not told the rest in that pass.
func TestADeafRelay(t *testing.T) {
	var deaf, good atomic.Int64
	heard := make(chan struct{})
	relay := func(told *atomic.Int64, answer http.HandlerFunc) *api.Client {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			told.Add(1)
			answer(w, r)
		}))
		t.Cleanup(server.Close)
		return api.ClientOf(server.URL, server.Client(), "control", catalogue.En)
	}
	s := &speaker{
		node: &Node{name: "here", log: slog.New(slog.DiscardHandler)},
		relays: map[string]*api.Client{
			"deaf": relay(&deaf, func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-heard:
				case <-r.Context().Done():
				}
				w.WriteHeader(http.StatusServiceUnavailable)
			}),
			"good": relay(&good, func(w http.ResponseWriter, _ *http.Request) {
				close(heard)
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte("[]"))
			}),
		},
		states: map[string]continuity.CheckState{"shop/web": continuity.CheckDown},
		said:   map[binding.Gate]word{}, mute: map[string]bool{}, busy: map[string]bool{},
	}
	gate := func(relay, route string) binding.Gate {
		return binding.Gate{Service: "shop", Relay: relay, Route: route, Check: "shop/web"}
	}
	gates := []binding.Gate{gate("deaf", "a"), gate("deaf", "b"), gate("deaf", "c"), gate("good", "a")}
	s.tell(t.Context(), gates, nil)
	s.passes.Wait()
	if deaf.Load() != 1 || good.Load() != 1 {
		t.Errorf("the deaf relay was told %d times, the good one %d times", deaf.Load(), good.Load())
	}
	if !s.said[gates[3]].down || len(s.said) != 1 || !s.mute["deaf"] || s.mute["good"] {
		t.Errorf("said %v, mute %v", s.said, s.mute)
	}
}

// TestARelayThatAnswersLate has one relay take its time over its words: another is
// told its own anew meanwhile, and the late one hears nothing twice.
func TestARelayThatAnswersLate(t *testing.T) {
	var late atomic.Int64
	answer, told := make(chan struct{}), make(chan struct{}, 10)
	relay := func(answer http.HandlerFunc) *api.Client {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			answer(w, r)
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("[]"))
		}))
		t.Cleanup(server.Close)
		return api.ClientOf(server.URL, server.Client(), "control", catalogue.En)
	}
	s := &speaker{
		node: &Node{name: "here", log: slog.New(slog.DiscardHandler)},
		relays: map[string]*api.Client{
			"late": relay(func(http.ResponseWriter, *http.Request) { late.Add(1); <-answer }),
			"good": relay(func(http.ResponseWriter, *http.Request) { told <- struct{}{} }),
		},
		states: map[string]continuity.CheckState{"shop/web": continuity.CheckDown, "shop/db": continuity.CheckDown},
		said:   map[binding.Gate]word{}, mute: map[string]bool{}, busy: map[string]bool{},
	}
	gates := []binding.Gate{
		{Service: "shop", Relay: "late", Route: "a", Check: "shop/web"}, {Service: "shop", Relay: "good", Route: "a", Check: "shop/web"},
		{Service: "shop", Relay: "good", Route: "a", Check: "shop/db"},
	}
	s.tell(t.Context(), gates[:2], nil)
	<-told
	for len(told) == 0 { // until the good relay's first pass has ended
		s.tell(t.Context(), gates, nil)
		runtime.Gosched()
	}
	close(answer)
	s.passes.Wait()
	if late.Load() != 1 || len(s.said) != 3 {
		t.Errorf("the late relay was told %d times; said %v", late.Load(), s.said)
	}
}
