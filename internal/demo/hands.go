package demo

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// hands are the machine's service manager, by which a runbook has the shop started
// again, or another release of it put in its place: `holdfast demo hand` asks it as
// systemctl would be asked.
type hands struct {
	url    string
	server *http.Server
	done   chan struct{}

	mu     sync.Mutex
	times  int
	before func()
}

func openHands(w *World) (*hands, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	h := &hands{url: "http://" + listener.Addr().String(), done: make(chan struct{})}
	mux := http.NewServeMux()
	for what, do := range map[string]func(r *http.Request) error{
		"restart": func(*http.Request) error {
			h.times++
			if h.before != nil {
				h.before()
			}
			w.Shop.Stop()
			return w.StartShop()
		},
		// Done again, these change nothing.
		"stop": func(*http.Request) error {
			w.Shop.Stop()
			return nil
		},
		"start": func(*http.Request) error {
			select {
			case <-w.Shop.Done():
				return w.StartShop()
			default:
				return nil
			}
		},
		"put": func(r *http.Request) error { return w.put(r.FormValue("release")) },
	} {
		mux.HandleFunc("POST /"+what, func(rw http.ResponseWriter, r *http.Request) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if err := do(r); err != nil {
				http.Error(rw, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	h.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		defer close(h.done)
		_ = h.server.Serve(listener)
	}()
	return h, nil
}

// Restarts is how often the shop was started again by the service manager.
func (w *World) Restarts() int {
	w.hands.mu.Lock()
	defer w.hands.mu.Unlock()
	return w.hands.times
}

// Restarting has something done before the shop is started again.
func (w *World) Restarting(before func()) {
	w.hands.mu.Lock()
	defer w.hands.mu.Unlock()
	w.hands.before = before
}

func (h *hands) close() {
	_ = h.server.Close()
	<-h.done
}
