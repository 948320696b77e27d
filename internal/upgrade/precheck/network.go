package precheck

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	probing "github.com/prometheus-community/pro-bing"

	"holdfast/internal/continuity"
)

// How a network is measured: enough echoes that one which is lost is no more than a
// hundredth. A connection that is slower than late lost its first packet: the system
// sends it again after a second.
const (
	echoes   = 100
	between  = 10 * time.Millisecond
	connects = 20
	late     = 900 * time.Millisecond
	tries    = 3
)

// reach connects to a peer's service, and then measures the way: by echoes or, where
// these are not to be had, by more connections.
func reach(ctx context.Context, address string, network Network) PeerFact {
	p := PeerFact{Address: address}
	if network == nil {
		p.Unread = unread("upgrade.precheck.not-looked")
		return p
	}
	var err error
	for range tries {
		var conn net.Conn
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		conn, err = network.DialContext(attempt, "tcp", address)
		cancel()
		if err == nil {
			_ = conn.Close() // nothing was sent
			break
		}
		if errors.Is(err, syscall.ECONNREFUSED) || continuity.CodeOf(err) == continuity.CodeOutgoing || ctx.Err() != nil {
			break
		}
	}
	switch {
	case err == nil:
	case continuity.CodeOf(err) == continuity.CodeOutgoing:
		p.Unread = unread("upgrade.precheck.peer-outgoing", "address", address)
	case errors.Is(err, syscall.ECONNREFUSED):
		p.Unread = unread("upgrade.precheck.peer-refused", "address", address)
	default:
		p.Unread = unread("upgrade.precheck.peer-silent", "address", address, "cause", cause(err))
	}
	if p.Unread != nil {
		return p
	}
	if s := ping(ctx, address, network); s != nil && s.PacketsRecv > 0 {
		p.By, p.Sent, p.Received, p.RTT, p.Worst = "ping", s.PacketsSent, s.PacketsRecv, s.AvgRtt, s.MaxRtt
		return p
	}
	p.connect(ctx, network)
	return p
}

// ping sends echo requests, from an unprivileged socket where the system grants one,
// else from a raw one; nil where neither is granted, or no rule lets them out.
func ping(ctx context.Context, address string, network Network) *probing.Statistics {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	found, err := network.Lookup(ctx, host, 0)
	if err != nil || len(found) == 0 {
		return nil
	}
	for _, raw := range []bool{false, true} {
		pinger := probing.New("")
		pinger.SetIPAddr(&net.IPAddr{IP: found[0].AsSlice(), Zone: found[0].Zone()})
		pinger.SetPrivileged(raw)
		pinger.SetLogger(probing.NoopLogger{})
		pinger.Count, pinger.Interval, pinger.Timeout = echoes, between, echoes*between+2*time.Second
		if pinger.RunWithContext(ctx) == nil {
			return pinger.Statistics()
		}
	}
	return nil
}

// connect measures by connections.
func (p *PeerFact) connect(ctx context.Context, network Network) {
	p.By, p.Sent = "tcp", connects
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		took time.Duration
	)
	for i := range connects {
		all.Go(func() {
			select { // one after the other, whoever waits
			case <-time.After(time.Duration(i) * between):
			case <-ctx.Done():
				return
			}
			attempt, cancel := context.WithTimeout(ctx, late)
			defer cancel()
			began := time.Now()
			conn, err := network.DialContext(attempt, "tcp", p.Address)
			if err != nil {
				return
			}
			d := time.Since(began)
			_ = conn.Close() // nothing was sent
			mu.Lock()
			defer mu.Unlock()
			p.Received++
			took += d
			p.Worst = max(p.Worst, d)
		})
	}
	all.Wait()
	if p.Received > 0 {
		p.RTT = took / time.Duration(p.Received)
	}
}
