package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// relayStatus is what the relay says of the route "orders". The demo shows it
// and waits by it; what it judges by are the customers' ledger and the shop's
// books.
type relayStatus struct {
	Mode     string `json:"mode"`
	Counters struct {
		Accepted            int64 `json:"accepted"`
		DeliveredAtOnce     int64 `json:"delivered_at_once"`
		DeliveredAfterDoubt int64 `json:"delivered_after_doubt"`
		Refused             int64 `json:"refused"`
		Dead                int64 `json:"dead"`
		InDoubt             int64 `json:"in_doubt"`
		Parked              int64 `json:"parked"`
		Pending             int64 `json:"pending"`
		Balanced            bool  `json:"balanced"`
	} `json:"counters"`
	Drain struct {
		Rate     float64 `json:"rate"`
		Allowed  float64 `json:"allowed"`
		Ends     float64 `json:"ends_seconds"`
		Forecast bool    `json:"forecast"`
	} `json:"drain"`
}

// status asks the relay's admin API.
func (w *world) status(ctx context.Context) (relayStatus, error) {
	token, err := os.ReadFile(filepath.Join(w.dir, "data", "admin.token"))
	if err != nil {
		return relayStatus{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.adminAddr+"/api/v1/status", nil)
	if err != nil {
		return relayStatus{}, err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	response, err := prober.Do(request)
	if err != nil {
		return relayStatus{}, err
	}
	defer response.Body.Close()
	var all struct {
		Routes []struct {
			ID string `json:"id"`
			relayStatus
		} `json:"routes"`
	}
	if response.StatusCode != http.StatusOK {
		return relayStatus{}, fmt.Errorf("the relay's admin API answers %s", response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		return relayStatus{}, err
	}
	for _, r := range all.Routes {
		if r.ID == "orders" {
			return r.relayStatus, nil
		}
	}
	return relayStatus{}, fmt.Errorf("the relay has no route orders")
}

// watcher follows the relay's status and the shop's pulse.
type watcher struct {
	mu     sync.Mutex
	status relayStatus
	polls  int64
	change chan struct{} // closed and replaced at each poll

	DrainBegan time.Time // first seen draining
	DrainEnded time.Time // first seen with nothing pending after it
	Forecast   float64   // the first forecast while draining, in seconds
	forecastAt time.Time
	MostDoubt  int64
	Backlog    int64 // most pending
}

func newWatcher() *watcher { return &watcher{change: make(chan struct{})} }

// run polls until ctx ends.
func (v *watcher) run(ctx context.Context, ask func(context.Context) (relayStatus, error)) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		if s, err := ask(ctx); err == nil {
			v.see(s, time.Now())
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (v *watcher) see(s relayStatus, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.status = s
	v.polls++
	v.MostDoubt = max(v.MostDoubt, s.Counters.InDoubt)
	v.Backlog = max(v.Backlog, s.Counters.Pending)
	if s.Mode == "drain" {
		if v.DrainBegan.IsZero() {
			v.DrainBegan = now
		}
		v.DrainEnded = time.Time{}
		if s.Drain.Forecast && v.forecastAt.IsZero() {
			v.Forecast, v.forecastAt = s.Drain.Ends, now
		}
	} else if !v.DrainBegan.IsZero() && v.DrainEnded.IsZero() && s.Counters.Pending == 0 {
		v.DrainEnded = now
	}
	close(v.change)
	v.change = make(chan struct{})
}

// now returns the last status seen.
func (v *watcher) now() relayStatus {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.status
}

// until waits until a status seen from now on satisfies ok.
func (v *watcher) until(ctx context.Context, ok func(relayStatus) bool) error {
	v.mu.Lock()
	first := v.polls + 1
	v.mu.Unlock()
	for {
		v.mu.Lock()
		s, polls, change := v.status, v.polls, v.change
		v.mu.Unlock()
		if polls > first && ok(s) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-change:
		}
	}
}
