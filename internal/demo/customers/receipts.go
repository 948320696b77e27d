package customers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// Receipts asks the relay, as customers would, what became of each request that was
// accepted, and counts by state.
func (c *Clients) Receipts(ctx context.Context, steps []Step) (states map[string]int, err error) {
	var (
		mu  sync.Mutex
		all sync.WaitGroup
	)
	states = map[string]int{}
	work := make(chan Step)
	for range 16 {
		all.Go(func() {
			for s := range work {
				state, failed := c.receipt(ctx, s.Receipt)
				mu.Lock()
				states[state]++
				if failed != nil && err == nil {
					err = fmt.Errorf("receipt of %s: %w", s.Ref, failed)
				}
				mu.Unlock()
			}
		})
	}
	for _, s := range steps {
		if s.Held() {
			work <- s
		}
	}
	close(work)
	all.Wait()
	return states, err
}

func (c *Clients) receipt(ctx context.Context, location string) (string, error) {
	if location == "" {
		return "", errors.New("a 202 without Location")
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+location, nil)
	if err != nil {
		return "", err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	var r struct {
		State string `json:"state"`
	}
	if err := json.Unmarshal(body, &r); err != nil || r.State == "" {
		return "", fmt.Errorf("%s: %s", response.Status, body)
	}
	return r.State, nil
}
