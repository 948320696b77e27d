package health

import (
	"context"
	"io"
	"net/url"
	"time"

	"holdfast/internal/continuity"
	"holdfast/internal/upstream"
)

// leastCheck bounds how long an active check may take from below.
const leastCheck = time.Second

// mostCheckBody is how much of a check's answer is read, so that its connection
// can be used again.
const mostCheckBody = 64 << 10

// Run checks actively, or waits for the next trial, until ctx is done.
func (m *Monitor) Run(ctx context.Context) {
	d := m.o.Route.Detect
	active := d.Path != "" && d.Every > 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.wake:
		case <-timer.C:
			if active {
				ok := m.check(ctx)
				if ctx.Err() != nil {
					return
				}
				m.checked(ok)
			}
		}
		switch {
		case active:
			timer.Reset(d.Every)
		default:
			if wait, waiting := m.waited(); waiting {
				timer.Reset(wait)
			}
		}
	}
}

// check asks the upstream once.
func (m *Monitor) check(ctx context.Context) bool {
	d := m.o.Route.Detect
	return ask(ctx, m.o.Sender, m.o.Route.Upstream, d.Path, d.Every)
}

// ask gets a path once and reports whether the answer is good.
func ask(ctx context.Context, sender upstream.Sender, address, path string, every time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, max(every, leastCheck))
	defer cancel()
	host := ""
	if u, err := url.Parse(address); err == nil {
		host = u.Host
	}
	r := sender.Send(ctx, upstream.Attempt{
		Method: "GET", Target: path, Host: host,
		Header: []continuity.Field{{Name: "User-Agent", Value: "holdfast-check"}, {Name: "Accept", Value: "*/*"}},
		Body:   eof{},
	})
	if r.Class != upstream.Answered {
		return false
	}
	_, err := io.CopyN(io.Discard, r.Body, mostCheckBody)
	r.Body.Close()
	return (err == nil || err == io.EOF) && 200 <= r.Status && r.Status <= 399
}

// checked takes an active check into account.
func (m *Monitor) checked(ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.o.Route.Detect
	switch state := m.State(); {
	case state == Up && ok, state == Down && !ok:
		m.row = 0
	case state == Up:
		if m.row++; m.row >= max(1, d.Down) {
			_ = m.change(Down, ReasonCheck) // logged; the next check tries again
		}
	case state == Down:
		if m.row++; m.row >= max(1, d.Up) && !time.Now().Before(m.notBefore) {
			_ = m.change(Trial, ReasonChecksPass)
		}
	case !ok:
		_ = m.change(Down, ReasonTrialFailed)
	case !m.replaying(time.Now()):
		_ = m.change(Up, ReasonChecksPass)
	}
}

// waited starts the trial of a route without an active check when its waiting
// time is over; it returns how long to wait further, if anything is to come.
func (m *Monitor) waited() (time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.State() != Down {
		return 0, false
	}
	if wait := time.Until(m.notBefore); wait > 0 {
		return wait, true
	}
	if m.change(Trial, ReasonWaited) != nil {
		return leastDown, true
	}
	return 0, false
}

// eof is an empty body.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }
